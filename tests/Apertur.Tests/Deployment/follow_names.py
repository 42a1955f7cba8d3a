#!/usr/bin/env python3
"""Reads compose.yaml and kubernetes.yaml as their programs would, and follows every name in them."""
import sys

import yaml


def require(holds, message):
    if not holds:
        sys.exit(message)


def compose(document):
    services = document["services"]
    for name, service in services.items():
        for other in service.get("depends_on", []):
            require(other in services, f"{name} depends on {other}")
        for mount in service.get("volumes", []):
            require(mount.split(":")[0] in document["volumes"], f"{name} mounts {mount}")
        for secret in service.get("secrets", []):
            require(secret in document["secrets"], f"{name} uses the secret {secret}")
        for config in service.get("configs", []):
            require(config["source"] in document["configs"], f"{name} uses the config {config['source']}")
    for name in ("one", "two"):
        node = services[name]
        require(node["read_only"] and node["cap_drop"] == ["ALL"], f"{name} is not confined")
        settings = node["environment"]
        require(f"Host=database;" in settings["APERTUR__Database__ConnectionString"], f"{name} has another database")
        require(settings["APERTUR__Storage__S3__Bucket"] == services["store"]["environment"]["S3_BUCKET"], f"{name} has another bucket")
        require(f"server {name}:8080;" in document["configs"]["balancer"]["content"], f"the balancer does not know {name}")


def pods(item):
    if item["kind"] == "Deployment":
        yield item["spec"]["template"]
    if item["kind"] == "CronJob":
        yield item["spec"]["jobTemplate"]["spec"]["template"]


def kubernetes(document):
    items = document["items"]
    names = {(item["kind"], item["metadata"]["name"]) for item in items}
    require(len(names) == len(items), "two things have one name")
    labels = []
    for item in items:
        for pod in pods(item):
            spec = pod["spec"]
            if item["kind"] == "Deployment":
                labels.append(pod["metadata"]["labels"])
                require(item["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"], f"{item['metadata']['name']} selects others")
                require(spec["terminationGracePeriodSeconds"] > 33, "a node is killed before it has stopped")
            require(spec["securityContext"]["runAsNonRoot"] is True, "a pod runs as root")
            volumes = {volume["name"]: volume for volume in spec["volumes"]}
            for volume in volumes.values():
                claim = volume.get("persistentVolumeClaim", {}).get("claimName")
                require(claim is None or ("PersistentVolumeClaim", claim) in names, f"there is no claim {claim}")
            for container in spec["containers"]:
                confined = container["securityContext"]
                require(confined["readOnlyRootFilesystem"] and not confined["allowPrivilegeEscalation"], "a container is not confined")
                require({mount["name"] for mount in container["volumeMounts"]} == set(volumes), "mounts and volumes differ")
                for source in container["envFrom"]:
                    require(("ConfigMap", source["configMapRef"]["name"]) in names, "there is no such ConfigMap")
                ports = {port["name"] for port in container.get("ports", [])}
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    require(probe not in container or container[probe]["httpGet"]["port"] in ports, f"{probe} asks another port")
    for item in items:
        spec = item.get("spec", {})
        selector = spec.get("selector") if item["kind"] == "Service" else spec.get("selector", {}).get("matchLabels") if item["kind"] == "PodDisruptionBudget" else None
        require(selector is None or selector in labels, f"{item['metadata']['name']} selects nothing")
        for rule in spec.get("rules", []):
            for path in rule["http"]["paths"]:
                require(("Service", path["backend"]["service"]["name"]) in names, "the ingress leads nowhere")


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    (compose if "services" in document else kubernetes)(document)
