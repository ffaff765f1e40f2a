-- 9. What a recovery may have lost.
--
-- Redis may come back without something that it had acknowledged, and nobody can say what. For as long as a hold of that time could
-- still be committed, a commit or release of a hold that nobody knows is therefore taken.
alter table partitions
    -- When callers were first let in: before that nothing can have been acknowledged.
    add column served_at timestamptz,
    -- By the partition's own clock, in microseconds: the last recovery that may have lost something.
    add column lost_at   bigint;
update partitions set served_at = opened_at where replication_id <> '';
