// Loaded into Redis before its own libraries: the harness turns its wall clock and slows its disk.
//
// A library of our own and not libfaketime: what is turned is shared memory, so a clock costs no file look-up a call, the disk is turned
// by the same means, and no package is needed.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// `dials.rs` writes and reads these by their places.
struct dials {
    _Atomic int64_t clock_us; // added to the wall clock
    _Atomic int64_t disk_us;  // added to each write to the disk
    _Atomic int64_t delayed;  // how many writes were
};

static struct dials at_rest;
static struct dials *dials = &at_rest;

__attribute__((constructor)) static void find_dials(void) {
    const char *path = getenv("CHAOS_DIALS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof at_rest, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) dials = shared;
    close(file);
}

// Each has a cell of its own: the first call looks the real one up.
#define REAL(type, name, ...)                                                  \
    static type (*real)(__VA_ARGS__);                                          \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int64_t wall_us(void) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    struct timespec now;
    real(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000 + dials->clock_us;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    (void)zone;
    int64_t now = wall_us();
    to->tv_sec = now / 1000000;
    to->tv_usec = now % 1000000;
    return 0;
}

time_t time(time_t *to) {
    time_t now = wall_us() / 1000000;
    if (to) *to = now;
    return now;
}

int clock_gettime(clockid_t clock, struct timespec *to) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    if (clock != CLOCK_REALTIME) return real(clock, to);
    int64_t now = wall_us();
    to->tv_sec = now / 1000000;
    to->tv_nsec = now % 1000000 * 1000;
    return 0;
}

static void wait_for_the_disk(void) {
    int64_t us = dials->disk_us;
    if (us <= 0) return;
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0) {}
    dials->delayed++;
}

int fsync(int file) {
    REAL(int, "fsync", int);
    wait_for_the_disk();
    return real(file);
}

int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    wait_for_the_disk();
    return real(file);
}
