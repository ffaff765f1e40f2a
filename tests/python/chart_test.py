"""Lints and renders helm/holdbook with Helm's own engine and asserts what the chart promises. Needs no cluster.

.venv/bin/python tests/python/chart_test.py
"""

import json
import pathlib
import re
import sys
import tomllib
import unittest

import yaml
from helm_python import Chart, lint
from helm_python.errors import HelmError

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "holdbook"


def render(values: dict | None = None, name: str = "demo") -> dict[str, dict]:
    """The rendered objects by kind."""
    with Chart.load(CHART) as chart:
        files = chart.render(values or {}, name=name, namespace="billing")
    objects = [
        part for file, text in files.items() if file.endswith(".yaml") for part in yaml.safe_load_all(text) if part
    ]
    assert len({part["kind"] for part in objects}) == len(objects), "two objects of one kind"
    return {part["kind"]: part for part in objects}


def pod(workload: dict) -> dict:
    return workload["spec"]["template"]["spec"]


class ChartTest(unittest.TestCase):
    def test_lints_without_a_warning(self):
        report = lint(CHART, strict=True, namespace="billing")
        # An icon is for chart catalogs.
        messages = [m for m in report["messages"] if m["severity"] >= 2]
        self.assertEqual((messages, report["errors"]), ([], []))

    def test_versions_are_the_crates(self):
        crate = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
        with Chart.load(CHART) as chart:
            self.assertEqual((chart.version, chart.metadata["appVersion"]), (crate, crate))
        container = pod(render()["Deployment"])["containers"][0]
        self.assertEqual(container["image"], f"holdbook:{crate}")

    def test_default_objects(self):
        self.assertEqual(set(render()), {"ConfigMap", "Deployment", "Job", "Service", "ServiceAccount"})
        without = render({"migration": {"enabled": False}, "serviceAccount": {"create": False}})
        self.assertEqual(set(without), {"ConfigMap", "Deployment", "Service"})
        self.assertEqual(pod(without["Deployment"])["serviceAccountName"], "default")

    def test_pods_are_without_rights(self):
        objects = render()
        for workload in [objects["Deployment"], objects["Job"]]:
            spec = pod(workload)
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertGreater(spec["securityContext"]["runAsUser"], 0)
            self.assertEqual(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            self.assertFalse(spec["automountServiceAccountToken"])
            for container in spec["containers"]:
                context = container["securityContext"]
                self.assertTrue(context["readOnlyRootFilesystem"])
                self.assertFalse(context["allowPrivilegeEscalation"])
                self.assertEqual(context["capabilities"]["drop"], ["ALL"])
                self.assertIn("memory", container["resources"]["limits"])
        # The image runs as the same user that the chart names.
        self.assertIn(f"USER {spec['securityContext']['runAsUser']}:", (ROOT / "Dockerfile").read_text())

    def test_probes_ask_the_admin_port(self):
        container = pod(render()["Deployment"])["containers"][0]
        asked = {probe: container[probe]["httpGet"] for probe in ["livenessProbe", "startupProbe", "readinessProbe"]}
        self.assertEqual(
            {probe: get["path"] for probe, get in asked.items()},
            {"livenessProbe": "/healthz", "startupProbe": "/healthz", "readinessProbe": "/readyz"},
        )
        self.assertEqual({get["port"] for get in asked.values()}, {"admin"})

    def test_ports_agree(self):
        objects = render({"service": {"port": 80, "adminPort": 81}})
        listens = {port["name"]: port["containerPort"] for port in pod(objects["Deployment"])["containers"][0]["ports"]}
        config = objects["ConfigMap"]["data"]
        self.assertEqual(config["HOLDBOOK_LISTEN"], f"0.0.0.0:{listens['grpc']}")
        self.assertEqual(config["HOLDBOOK_ADMIN_LISTEN"], f"0.0.0.0:{listens['admin']}")
        served = {port["name"]: (port["port"], port["targetPort"]) for port in objects["Service"]["spec"]["ports"]}
        self.assertEqual(served, {"grpc": (80, "grpc"), "admin": (81, "admin")})
        exposed = re.search(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        self.assertEqual({int(port) for port in exposed[1].split()}, set(listens.values()))

    def test_service_reaches_the_servers_and_nothing_else(self):
        objects = render()
        selector = objects["Service"]["spec"]["selector"].items()
        self.assertEqual(objects["Deployment"]["spec"]["selector"]["matchLabels"].items(), selector)
        self.assertLessEqual(selector, objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items())
        self.assertFalse(selector <= objects["Job"]["spec"]["template"]["metadata"]["labels"].items())

    def test_store_urls_come_from_the_secret(self):
        objects = render({"stores": {"existingSecret": "mine", "postgresMigrateUrlKey": "owner"}})
        for kind, wanted in {
            "Deployment": {"HOLDBOOK_REDIS_URL": "redis-url", "HOLDBOOK_POSTGRES_URL": "postgres-url"},
            "Job": {"HOLDBOOK_POSTGRES_URL": "owner"},
        }.items():
            variables = {
                env["name"]: env["valueFrom"]["secretKeyRef"] for env in pod(objects[kind])["containers"][0]["env"]
            }
            self.assertEqual({ref["name"] for ref in variables.values()}, {"mine"})
            self.assertEqual({name: ref["key"] for name, ref in variables.items()}, wanted)
        self.assertFalse([name for name in objects["ConfigMap"]["data"] if name.endswith("_URL")])

    def test_migration_runs_before_and_alone(self):
        job = render()["Job"]
        self.assertEqual(job["metadata"]["annotations"]["helm.sh/hook"], "pre-install,pre-upgrade")
        self.assertEqual(pod(job)["containers"][0]["args"], ["migrate"])
        # Nothing that the release has yet to make.
        self.assertNotIn("serviceAccountName", pod(job))
        self.assertNotIn("envFrom", pod(job)["containers"][0])
        self.assertLessEqual(len(render(name="a" * 53)["Job"]["metadata"]["name"]), 63)

    def test_new_settings_mean_new_pods(self):
        def checksum(values):
            return render(values)["Deployment"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

        self.assertNotEqual(checksum({}), checksum({"config": {"HOLDBOOK_DEFAULT_TTL": "2h"}}))

    def test_settings_are_the_services(self):
        reference = (ROOT / "docs" / "configuration.md").read_text()
        objects = render()
        used = set(objects["ConfigMap"]["data"])
        used |= {env["name"] for env in pod(objects["Deployment"])["containers"][0]["env"]}
        unknown = {name for name in used if f"`{name}`" not in reference}
        self.assertEqual(unknown, set(), "the service does not know these")

    def test_schema_refuses_mistakes(self):
        with Chart.load(CHART) as chart:
            chart.validate_schema({})
            for mistake in [
                {"replicaCount": 3},
                {"replicas": "three"},
                {"image": {"pullPolicy": "Sometimes"}},
                {"stores": {"existingSecret": ""}},
                {"service": {"port": 70000}},
                {"config": {"HOLDBOOK_DEFAULT_TTL": 3600}},
                {"config": {"DEFAULT_TTL": "1h"}},
                {"config": {"HOLDBOOK_POSTGRES_URL": "postgres://secret"}},
                {"config": {"HOLDBOOK_TEST_CLOCK": "true"}},
            ]:
                with self.subTest(json.dumps(mistake)), self.assertRaises(HelmError):
                    chart.validate_schema(mistake)

    def test_every_option_reaches_the_pods(self):
        objects = render(
            {
                "image": {"repository": "registry.example/holdbook", "tag": "7", "pullSecrets": ["pull"]},
                "config": {"OTEL_SERVICE_NAME": "true"},
                "podLabels": {"team": "billing"},
                "podAnnotations": {"note": "yes"},
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "dedicated", "operator": "Exists"}],
                "affinity": {"nodeAffinity": {}},
                "service": {"annotations": {"lb": "internal"}},
                "serviceAccount": {"name": "meter", "annotations": {"iam": "role"}},
            }
        )
        server, job = pod(objects["Deployment"]), pod(objects["Job"])
        for spec in [server, job]:
            self.assertEqual(spec["containers"][0]["image"], "registry.example/holdbook:7")
            self.assertEqual(spec["imagePullSecrets"], [{"name": "pull"}])
            self.assertEqual(spec["nodeSelector"], {"disk": "ssd"})
            self.assertEqual(spec["tolerations"], [{"key": "dedicated", "operator": "Exists"}])
        self.assertEqual((server["serviceAccountName"], server["affinity"]), ("meter", {"nodeAffinity": {}}))
        # A value that looks like a boolean stays a string: environment variables are strings.
        self.assertEqual(objects["ConfigMap"]["data"]["OTEL_SERVICE_NAME"], "true")
        template = objects["Deployment"]["spec"]["template"]["metadata"]
        self.assertEqual((template["labels"]["team"], template["annotations"]["note"]), ("billing", "yes"))
        self.assertEqual(objects["Service"]["metadata"]["annotations"], {"lb": "internal"})
        self.assertEqual(objects["ServiceAccount"]["metadata"]["annotations"], {"iam": "role"})

    def test_notes_name_the_secret(self):
        with Chart.load(CHART) as chart:
            files = chart.render({"stores": {"existingSecret": "mine"}}, name="demo", namespace="billing")
        (notes,) = [text for file, text in files.items() if file.endswith("NOTES.txt")]
        self.assertIn("create secret generic mine", notes)
        self.assertIn("demo-holdbook.billing:7600", notes)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]], verbosity=1)
