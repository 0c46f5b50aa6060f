# The backend block with a real backend: state is written to S3 on loopback, the lock is acquired, respected and released.
# Without IAM and KMS: the server allows all requests.
import contextlib
import re
import socket
import subprocess
import time
import urllib.request
import xml.etree.ElementTree

from prove.calibration import PATIENCE
from prove.steps import Failure, Step
from prove.terraform import PROGRAMS, Root

REDIRECT = """endpoints               = {{ s3 = "{url}", sts = "{url}", iam = "{url}" }}
use_path_style          = true
skip_metadata_api_check = true
access_key              = "mock"
secret_key              = "mock"
"""


@contextlib.contextmanager
def server(proof, account):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with open(proof.folder("moto") / "log", "w") as log:
        process = subprocess.Popen(
            [proof.tools / "bin" / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
            env=proof.environment(MOTO_ACCOUNT_ID=account),
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=20).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Failure("the S3 server on loopback did not start") from None
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE)


# The server reads the access key, and checks no signature.
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=mock/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=mock"
}


def request(url, method="GET", body=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method, headers=SIGNED), timeout=PATIENCE) as answer:
        return answer.read()


def keys(url, bucket):
    listing = xml.etree.ElementTree.fromstring(request(f"{url}/{bucket}?list-type=2"))
    return [element.text for element in listing.iter() if element.tag.endswith("}Key")]


def backend_block(root):
    """The settings of the root's `backend "s3"` block that this step needs."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(root.glob("*.tf")))
    block = re.search(r'backend\s+"s3"\s*\{(.*?)\n\s*\}', text, re.S)
    if not block:
        raise Failure(f'`{root.name}` has no `backend "s3"` block')
    return {name: value.strip('[]"') for name, value in re.findall(r"^\s*(\w+)\s*=\s*(\S.*?)\s*$", block[1], re.M)}


def steps(proof, tree):
    yield Step("backend blocks", "", tree.terraform_roots, lambda: every_block(proof, tree))
    if not proof.facts:
        return
    # The smallest root is enough, because only the block is tried.
    roots = sorted(tree.terraform_roots, key=lambda root: sum(path.stat().st_size for path in root.glob("*.tf")))[:1]
    for program in PROGRAMS:
        where = tree.name(roots[0]) if roots else ""
        yield Step(f"{program} backend", where, roots, lambda p=program: prove(proof, tree, roots[0], p), seconds=25, slow=True)


def every_block(proof, tree):
    """Every root keeps its state apart, and locks it. Encryption is the bucket's own, so `encrypt` is not asked for."""
    seen = {}
    for root in tree.terraform_roots:
        block = backend_block(root)
        if block.get("use_lockfile") != "true":
            raise Failure(f"`{tree.name(root)}`: set `use_lockfile = true` in the backend block")
        place = (block.get("bucket"), block.get("key"))
        if place in seen:
            raise Failure(f"`{tree.name(root)}` and `{tree.name(seen[place])}` share one state: give them different keys")
        seen[place] = root


def prove(proof, tree, root, program):
    block = backend_block(root)
    # The block may name its account, which the server on loopback then uses.
    with server(proof, block.get("allowed_account_ids", "123456789012")) as url:
        location = (
            f"<CreateBucketConfiguration><LocationConstraint>{block['region']}</LocationConstraint></CreateBucketConfiguration>"
        )
        request(f"{url}/{block['bucket']}", "PUT", None if block["region"] == "us-east-1" else location.encode())
        terraform = Root(proof, tree, root, program)
        (terraform.folder / "redirect.s3.tfbackend").write_text(REDIRECT.format(url=url))
        terraform.initialise("-backend-config=redirect.s3.tfbackend")
        terraform.answer_variables()
        terraform.expect("Apply complete!", terraform("apply", "-auto-approve"))
        if keys(url, block["bucket"]) != [block["key"]]:
            raise Failure(f"the bucket holds {keys(url, block['bucket'])}, not exactly the state `{block['key']}`")
        lock = f"{url}/{block['bucket']}/{block['key']}.tflock"
        request(lock, "PUT", b'{"ID":"1","Operation":"OperationTypeApply","Who":"someone"}')
        held = terraform("plan", "-lock-timeout=0s", codes=(0, 1))
        if held.returncode == 0 or "Error acquiring the state lock" not in held.stdout + held.stderr:
            raise Failure(f"a lock that someone else holds did not stop `plan`\n{held.stdout}{held.stderr}")
        request(lock, "DELETE")
        terraform("plan", "-detailed-exitcode")
