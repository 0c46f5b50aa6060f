# The part of the EBS CSI driver on which others depend: a claim whose pod has a node gets a volume in that node's zone, and a volume
# is deleted with its claim. Nothing is attached or mounted.
import sys
import threading
import time

from live import kube as k

DRIVER = "ebs.csi.aws.com"
CHOSEN = "volume.kubernetes.io/selected-node"
ZONE = "topology.ebs.csi.aws.com/zone"


def play(api):
    def loop():
        while True:
            time.sleep(0.5)
            try:
                look(api)
            except (OSError, k.Refused) as error:
                print(f"volumes: {error}", file=sys.stderr, flush=True)

    threading.Thread(target=loop, daemon=True).start()


def look(api):
    classes = {
        each["metadata"]["name"]: each
        for each in api.list("/apis/storage.k8s.io/v1/storageclasses")
        if each["provisioner"] == DRIVER
    }
    for claim in api.list("/api/v1/persistentvolumeclaims") if classes else []:
        chosen = (claim["metadata"].get("annotations") or {}).get(CHOSEN)
        kind = classes.get(claim["spec"].get("storageClassName"))
        if kind and chosen and not claim["spec"].get("volumeName"):
            node = api.find(f"/api/v1/nodes/{chosen}")
            volume = f"pvc-{claim['metadata']['uid']}"
            if node and not api.find(f"/api/v1/persistentvolumes/{volume}"):
                api.request("POST", "/api/v1/persistentvolumes", volume_for(claim, kind, node, volume))
    for volume in api.list("/api/v1/persistentvolumes"):
        ours = (volume["spec"].get("csi") or {}).get("driver") == DRIVER
        gone = volume["status"].get("phase") == "Released" and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        if ours and gone:
            api.delete(f"/api/v1/persistentvolumes/{volume['metadata']['name']}")


def volume_for(claim, kind, node, name):
    zone = node["metadata"]["labels"][ZONE]
    meta = claim["metadata"]
    owner = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": meta["name"], "namespace": meta["namespace"]}
    terms = [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "storageClassName": kind["metadata"]["name"],
            "persistentVolumeReclaimPolicy": kind.get("reclaimPolicy", "Delete"),
            "csi": {"driver": DRIVER, "volumeHandle": f"vol-{meta['uid'].replace('-', '')[:17]}"},
            "claimRef": {**owner, "uid": meta["uid"]},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        },
    }
