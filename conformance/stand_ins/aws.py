# A stand-in for the AWS CLI: it records each call, answers for EKS, whose emulator does not support deletion protection, and
# passes everything else to the real CLI with the emulator. As in AWS, the network interfaces of a load balancer are deleted
# some time after it, and an update takes a moment.
import json
import os
import pathlib
import sys

WORLD = pathlib.Path(os.environ["WORLD"])
words = sys.argv[1:]
cluster = json.loads((WORLD / "cluster.json").read_text())

with open(WORLD / "calls", "a") as calls:
    calls.write(" ".join(["aws", *words]) + "\n")

if words[0] == "eks":
    if words[1] == "describe-cluster" and cluster:
        answer = cluster[words[words.index("--query") + 1].split(".", 1)[1]]
        print(answer)
        sys.exit()
    if words[1] == "describe-cluster":
        print(
            "An error occurred (ResourceNotFoundException) when calling the DescribeCluster operation: No cluster found",
            file=sys.stderr,
        )
        sys.exit(254)
    if words[1] == "update-cluster-config" and "--no-deletion-protection" in words:
        (WORLD / "cluster.json").write_text(json.dumps({**cluster, "deletionProtection": False}))
        sys.exit()
    if words[1:3] == ["wait", "cluster-active"]:
        sys.exit()
    sys.exit(f"nobody expects {words}")

# Added to each call, because for some services the CLI ignores the environment variable.
ELSEWHERE = ["--endpoint-url", os.environ["AWS_ENDPOINT_URL"]]
late = WORLD / "late-interface"
if words[:2] == ["ec2", "describe-network-interfaces"] and any("group-id" in word for word in words) and late.exists():
    looks = int((WORLD / "looks").read_text() or 0) if (WORLD / "looks").exists() else 0
    (WORLD / "looks").write_text(str(looks + 1))
    if looks == 1:
        os.spawnv(
            os.P_WAIT,
            os.environ["AWS_CLI"],
            ["aws", "ec2", "delete-network-interface", "--network-interface-id", late.read_text(), *ELSEWHERE],
        )
        late.unlink()
os.execv(os.environ["AWS_CLI"], ["aws", *words, *ELSEWHERE])
