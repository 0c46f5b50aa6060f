#!/usr/bin/env python3
# A stand-in for Terraform providers, so that real Terraform and OpenTofu plan, apply and test without a network. It holds
# no schema of its own: those are third-party facts that `--schemas` names. It is no AWS: a well-formed value that AWS
# would refuse passes.
"""Schema-driven stand-in for Terraform provider plugins (tfplugin5 / tfplugin6 over gRPC, no binary, no network).

It loads files in the format of `terraform providers schema -json` and serves each provider in them on a loopback port;
terraform is pointed at them with TF_REATTACH_PROVIDERS.

  stub_provider.py run [opts] -- terraform plan      start, run one command with the environment set, stop, same exit code
  stub_provider.py serve [opts] --env FILE           serve until SIGTERM; FILE gets a line to `source`
  opts: --schemas DIR  --rules FILE (default: DIR/*_rules.json)  --no-rules  --log FILE
"""
import argparse, base64, glob, hashlib, ipaddress, json, os, re, signal, subprocess, sys, threading, time
from concurrent import futures
import grpc, msgpack
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# ---------------------------------------------------------------- protocol messages
# name: "field=number type[*]" ; * = repeated. Enums are int32, map<string,X> is a repeated entry: the same bytes on the wire.
# proto2 presence is used so that an explicit 0 (AttributePath index) is sent.
MSG = """
Empty:
DynamicValue: msgpack=1 bytes, json=2 bytes
Step: attribute_name=1 string, element_key_string=2 string, element_key_int=3 int64
AttributePath: steps=1 Step*
Diagnostic: severity=1 int32, summary=2 string, detail=3 string, attribute=4 AttributePath
Client: deferral_allowed=1 bool, write_only_attributes_allowed=2 bool
Server: plan_destroy=1 bool, get_provider_schema_optional=2 bool, move_resource_state=3 bool
Object: attributes=1 Attribute*, nesting=3 int32
Attribute: name=1 string, type=2 bytes, description=3 string, required=4 bool, optional=5 bool, computed=6 bool, sensitive=7 bool, description_kind=8 int32, deprecated=9 bool, {attr}
Block: version=1 int64, attributes=2 Attribute*, block_types=3 NestedBlock*, description=4 string, description_kind=5 int32, deprecated=6 bool
NestedBlock: type_name=1 string, block=2 Block, nesting=3 int32, min_items=4 int64, max_items=5 int64
Schema: version=1 int64, block=2 Block
SchemaEntry: key=1 string, value=2 Schema
Param: name=1 string, type=2 bytes, allow_null_value=3 bool, allow_unknown_values=4 bool, description=5 string
Return: type=1 bytes
Function: parameters=1 Param*, variadic_parameter=2 Param, return=3 Return, summary=4 string, description=5 string
FunctionEntry: key=1 string, value=2 Function
FunctionError: text=1 string, function_argument=2 int64
TypeName: type_name=1 string
FnName: name=1 string
Metadata: server_capabilities=1 Server, diagnostics=2 Diagnostic*, data_sources=3 TypeName*, resources=4 TypeName*, functions=5 FnName*, ephemeral_resources=6 TypeName*
SchemaResp: provider=1 Schema, resource_schemas=2 SchemaEntry*, data_source_schemas=3 SchemaEntry*, diagnostics=4 Diagnostic*, provider_meta=5 Schema, server_capabilities=6 Server, functions=7 FunctionEntry*, ephemeral_resource_schemas=8 SchemaEntry*
PrepReq: config=1 DynamicValue
PrepResp: {prep}diagnostics=2 Diagnostic*
RawState: json=1 bytes
UpgReq: type_name=1 string, version=2 int64, raw_state=3 RawState
UpgResp: upgraded_state=1 DynamicValue, diagnostics=2 Diagnostic*
ValReq: type_name=1 string, config=2 DynamicValue, client_capabilities=3 Client
Diags: diagnostics=1 Diagnostic*
ConfReq: terraform_version=1 string, config=2 DynamicValue, client_capabilities=3 Client
ReadReq: type_name=1 string, current_state=2 DynamicValue, private=3 bytes
ReadResp: new_state=1 DynamicValue, diagnostics=2 Diagnostic*, private=3 bytes
PlanReq: type_name=1 string, prior_state=2 DynamicValue, proposed_new_state=3 DynamicValue, config=4 DynamicValue, prior_private=5 bytes
PlanResp: planned_state=1 DynamicValue, requires_replace=2 AttributePath*, planned_private=3 bytes, diagnostics=4 Diagnostic*, legacy_type_system=5 bool
ApplyReq: type_name=1 string, prior_state=2 DynamicValue, planned_state=3 DynamicValue, config=4 DynamicValue, planned_private=5 bytes
ApplyResp: new_state=1 DynamicValue, private=2 bytes, diagnostics=3 Diagnostic*, legacy_type_system=4 bool
ImpReq: type_name=1 string, id=2 string
Imported: type_name=1 string, state=2 DynamicValue, private=3 bytes
ImpResp: imported_resources=1 Imported*, diagnostics=2 Diagnostic*
DataReq: type_name=1 string, config=2 DynamicValue
DataResp: state=1 DynamicValue, diagnostics=2 Diagnostic*
OpenReq: type_name=1 string, config=2 DynamicValue
OpenResp: diagnostics=1 Diagnostic*, result=3 DynamicValue, private=4 bytes
TypedPriv: type_name=1 string, private=2 bytes
CallReq: name=1 string, arguments=2 DynamicValue*
CallResp: result=1 DynamicValue, error=2 FunctionError
HealthResp: status=1 int32
"""
def messages(ver):
    F = descriptor_pb2.FieldDescriptorProto
    prim = {"bytes": F.TYPE_BYTES, "string": F.TYPE_STRING, "bool": F.TYPE_BOOL, "int32": F.TYPE_INT32, "int64": F.TYPE_INT64}
    pk = "stub%d" % ver
    fd = descriptor_pb2.FileDescriptorProto(name=pk + ".proto", package=pk, syntax="proto2")
    text = MSG.replace("{attr}", "write_only=10 bool" if ver == 5 else "nested_type=10 Object, write_only=11 bool").replace("{prep}", "prepared_config=1 DynamicValue, " if ver == 5 else "")
    for line in text.strip().splitlines():
        name, fields = line.split(":", 1); m = fd.message_type.add(name=name)
        for f in filter(None, (x.strip() for x in fields.split(","))):
            n, rest = f.split("=", 1); num, ty = rest.split(); rep = ty.endswith("*"); ty = ty.rstrip("*")
            d = m.field.add(name=n, number=int(num), label=F.LABEL_REPEATED if rep else F.LABEL_OPTIONAL)
            if ty in prim: d.type = prim[ty]
            else: d.type = F.TYPE_MESSAGE; d.type_name = ".%s.%s" % (pk, ty)
    pool = descriptor_pool.DescriptorPool(); pool.Add(fd)
    get = getattr(message_factory, "GetMessageClass")
    return type("M", (), {m.name: get(pool.FindMessageTypeByName(pk + "." + m.name)) for m in fd.message_type})

# ---------------------------------------------------------------- values (cty as msgpack)
UNK = msgpack.ExtType(0, b"\x00")
def unk(v): return isinstance(v, msgpack.ExtType)
def dec(dv):
    if dv.HasField("msgpack") and dv.msgpack: return msgpack.unpackb(dv.msgpack, raw=False, strict_map_key=False)
    if dv.HasField("json") and dv.json: return json.loads(dv.json)
    return None
def pack(v): return msgpack.packb(v, use_bin_type=True)
def wholly_known(v):
    if unk(v): return False
    if isinstance(v, dict): return all(map(wholly_known, v.values()))
    if isinstance(v, list): return all(map(wholly_known, v))
    return True
def canon(v):
    if unk(v): return "?"
    if isinstance(v, dict): return {str(k): canon(x) for k, x in sorted(v.items()) if x is not None and not unk(x)}
    if isinstance(v, list): return [canon(x) for x in v]
    if isinstance(v, bytes): return v.decode("utf-8", "replace")
    return v
def same(a, b):
    """equality; lists compared in order, so sets from different encoders are compared sorted too"""
    if a == b: return True
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        k = lambda x: json.dumps(canon(x), sort_keys=True, default=str)
        return sorted(map(k, a)) == sorted(map(k, b)) and wholly_known(a) and wholly_known(b)
    return False

NEST = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
# ---------------------------------------------------------------- mock values
ACCOUNT = "123456789012"
PFX = dict(vpc="vpc-", subnet="subnet-", route_table="rtb-", internet_gateway="igw-", egress_only_internet_gateway="eigw-", nat_gateway="nat-", eip="eipalloc-",
  security_group="sg-", vpc_security_group_ingress_rule="sgr-", vpc_security_group_egress_rule="sgr-", security_group_rule="sgrule-", flow_log="fl-", vpc_endpoint="vpce-",
  launch_template="lt-", network_interface="eni-", network_acl="acl-", vpc_dhcp_options="dopt-", route_table_association="rtbassoc-", main_route_table_association="rtbassoc-",
  vpc_ipv4_cidr_block_association="vpc-cidr-assoc-", vpc_peering_connection="pcx-", ec2_transit_gateway="tgw-", ec2_transit_gateway_vpc_attachment="tgw-attach-",
  ec2_managed_prefix_list="pl-", instance="i-", ebs_volume="vol-", eip_association="eipassoc-", route="r-rtb-", default_vpc="vpc-", default_subnet="subnet-",
  default_security_group="sg-", default_route_table="rtb-", default_network_acl="acl-", efs_file_system="fs-", efs_access_point="fsap-", efs_mount_target="fsmt-",
  vpc_endpoint_service="vpce-svc-", vpn_gateway="vgw-", db_instance="db-", eks_pod_identity_association="a-")
IDKEY = dict(iam_role=["name"], iam_policy=["@arn"], iam_instance_profile=["name"], iam_role_policy_attachment=["role", "policy_arn"], iam_role_policy=["role", "name"], iam_user=["name"], iam_group=["name"],
  iam_openid_connect_provider=["@arn"], s3_bucket=["bucket"], s3_bucket_versioning=["bucket"], s3_bucket_policy=["bucket"], s3_bucket_public_access_block=["bucket"],
  s3_bucket_server_side_encryption_configuration=["bucket"], s3_bucket_ownership_controls=["bucket"], s3_bucket_lifecycle_configuration=["bucket"], s3_bucket_logging=["bucket"],
  eks_cluster=["name"], eks_node_group=["cluster_name", "node_group_name"], eks_addon=["cluster_name", "addon_name"], eks_access_entry=["cluster_name", "principal_arn"],
  eks_access_policy_association=["cluster_name", "principal_arn", "policy_arn"], eks_fargate_profile=["cluster_name", "fargate_profile_name"], cloudwatch_log_group=["name"], ssm_parameter=["name"], ecr_repository=["name"],
  db_subnet_group=["name"], db_parameter_group=["name"], db_option_group=["name"], rds_cluster=["cluster_identifier"], cloudwatch_metric_alarm=["alarm_name"], cloudwatch_event_rule=["name"],
  autoscaling_group=["name"], kms_alias=["name"], secretsmanager_secret=["@arn"], sqs_queue=["@url"], sns_topic=["@arn"], acm_certificate=["@arn"], dynamodb_table=["name"], lb=["@arn"], lb_target_group=["@arn"])
# type -> (service, resource part); {x} is an attribute, {id} the id; a leading ! means no region in the ARN, !! neither region nor account
ARN = dict(iam_role=("iam", "!role/{name}"), iam_policy=("iam", "!policy/{name}"), iam_instance_profile=("iam", "!instance-profile/{name}"), iam_user=("iam", "!user/{name}"), iam_group=("iam", "!group/{name}"),
  iam_openid_connect_provider=("iam", "!oidc-provider/{url}"), iam_service_linked_role=("iam", "!role/aws-service-role/{aws_service_name}"), s3_bucket=("s3", "!!{bucket}"), eks_cluster=("eks", "cluster/{name}"),
  eks_node_group=("eks", "nodegroup/{cluster_name}/{node_group_name}/{h36}"), eks_addon=("eks", "addon/{cluster_name}/{addon_name}/{h36}"), eks_fargate_profile=("eks", "fargateprofile/{cluster_name}/{fargate_profile_name}/{h36}"),
  eks_pod_identity_association=("eks", "podidentityassociation/{cluster_name}/{id}"), db_instance=("rds", "db:{identifier}"), db_subnet_group=("rds", "subgrp:{name}"),
  db_parameter_group=("rds", "pg:{name}"), db_option_group=("rds", "og:{name}"), rds_cluster=("rds", "cluster:{cluster_identifier}"), kms_key=("kms", "key/{id}"), kms_alias=("kms", "{name}"), ssm_parameter=("ssm", "parameter/{name}"),
  secretsmanager_secret=("secretsmanager", "secret:{name}-{h6}"), route53_zone=("route53", "!!hostedzone/{id}"), acm_certificate=("acm", "certificate/{h36}"), ecr_repository=("ecr", "repository/{name}"),
  cloudwatch_log_group=("logs", "log-group:{name}"), cloudwatch_metric_alarm=("cloudwatch", "alarm:{alarm_name}"), cloudwatch_event_rule=("events", "rule/{name}"), sqs_queue=("sqs", "{name}"), sns_topic=("sns", "{name}"),
  autoscaling_group=("autoscaling", "autoScalingGroup:{h36}:autoScalingGroupName/{name}"), flow_log=("ec2", "vpc-flow-log/{id}"), nat_gateway=("ec2", "natgateway/{id}"), eip=("ec2", "elastic-ip/{id}"),
  launch_template=("ec2", "launch-template/{id}"), security_group=("ec2", "security-group/{id}"), vpc_security_group_ingress_rule=("ec2", "security-group-rule/{id}"), vpc_security_group_egress_rule=("ec2", "security-group-rule/{id}"),
  route_table=("ec2", "route-table/{id}"), internet_gateway=("ec2", "internet-gateway/{id}"), vpc_endpoint=("ec2", "vpc-endpoint/{id}"), vpc=("ec2", "vpc/{id}"), subnet=("ec2", "subnet/{id}"), network_acl=("ec2", "network-acl/{id}"),
  dynamodb_table=("dynamodb", "table/{name}"), lambda_function=("lambda", "function:{function_name}"), lb=("elasticloadbalancing", "loadbalancer/net/{name}/{h16}"), lb_target_group=("elasticloadbalancing", "targetgroup/{name}/{h16}"))
FQ_PORTS = {"postgres": 5432, "aurora-postgresql": 5432, "mysql": 3306, "mariadb": 3306, "aurora-mysql": 3306}

class Mock:
    """Deterministic values for one object: everything derives from its type and its known arguments (plus a counter for identical twins)."""
    def __init__(self, typ, obj, conn, twin=0):
        self.typ, self.obj, self.conn = typ, obj, conn
        self.short = typ[4:] if typ.startswith("aws_") else typ
        self.h = hashlib.sha256(json.dumps([typ, canon(obj), twin], sort_keys=True, default=str).encode()).hexdigest()
        self.cache = {}
    def known(self, n):
        v = self.obj.get(n)
        return v if isinstance(v, (str, int, float)) and not isinstance(v, bool) else None
    def region(self): return self.known("region") or self.conn.get("region") or "us-east-1"
    def hx(self, salt, n): return hashlib.sha256((self.h + salt).encode()).hexdigest()[:n]
    def uuid(self, salt=""): x = self.hx("uuid" + salt, 32); return "-".join((x[:8], x[8:12], "4" + x[13:16], "8" + x[17:20], x[20:]))
    def top(self, n):
        if n not in self.cache:
            self.cache[n] = self.known(n)
            if self.cache[n] is None: self.cache[n] = self.string(n, n)
        return self.cache[n]
    def arn(self):
        s, r = ARN.get(self.short, (self.short.split("_")[0], self.short.replace("_", "-") + "/{id}"))
        acct, reg = ACCOUNT, self.region()
        if r.startswith("!!"): acct = reg = ""; r = r[2:]
        elif r.startswith("!"): reg = ""; r = r[1:]
        def sub(m):
            k = m.group(1)
            if k == "h36": return self.uuid()
            if k[0] == "h" and k[1:].isdigit(): return self.hx("arn", int(k[1:]))
            v = str(self.top(k)); return v.split("://")[-1].lstrip("/") if k in ("url", "name") else v
        return "arn:aws:%s:%s:%s:%s" % (s, reg, acct, re.sub(r"\{(\w+)\}", sub, r))
    def string(self, n, path):
        s = self.short
        if self.typ.startswith("aws_") and path == n:
            if n == "arn": return self.arn()
            if n == "id":
                if s == "kms_key": return self.uuid()
                if s == "route53_zone": return "Z" + self.hx("zone", 20).upper()
                if s in PFX: return PFX[s] + self.hx("id", 17)
                if s in IDKEY: return ":".join(str(self.top(k.lstrip("@"))) for k in IDKEY[s])
                for k in ("name", "bucket"):
                    if self.known(k): return self.known(k)
            if n == "region": return self.region()
            if n in ("name", "bucket", "identifier", "node_group_name", "cluster_identifier", "alarm_name") :
                p = self.known(n + "_prefix") or self.known("name_prefix")
                return (p if p else "terraform-") + "20240101000000" + str(int(self.hx("n", 10), 16) % 10**12).zfill(12)
            if (s, n) == ("kms_key", "key_id"): return self.top("id")
            if n in ("target_key_arn",): return "arn:aws:kms:%s:%s:%s" % (self.region(), ACCOUNT, self.known("target_key_id") or "key/" + self.uuid())
            if (s, n) == ("route53_zone", "zone_id") or n in ("association_id", "resource_id", "allocation_id", "security_group_rule_id") and s in PFX: return self.top("id")
            if s == "db_instance" and n in ("endpoint", "address"):
                a = "%s.%s.%s.rds.amazonaws.com" % (self.top("identifier"), self.hx("db", 12), self.region())
                return a if n == "address" else "%s:%d" % (a, self.number("port"))
            if s == "eks_cluster" and n == "endpoint": return "https://%s.gr7.%s.eks.amazonaws.com" % (self.hx("eks", 32).upper(), self.region())
            if s == "ecr_repository" and n == "repository_url": return "%s.dkr.ecr.%s.amazonaws.com/%s" % (ACCOUNT, self.region(), self.top("name"))
            if s == "sqs_queue" and n == "url": return "https://sqs.%s.amazonaws.com/%s/%s" % (self.region(), ACCOUNT, self.top("name"))
            if s == "route53_record" and n == "fqdn": return str(self.known("name") or "").rstrip(".")
            if s == "s3_bucket" and n == "bucket_domain_name": return self.top("bucket") + ".s3.amazonaws.com"
            if s == "s3_bucket" and n == "bucket_regional_domain_name": return "%s.s3.%s.amazonaws.com" % (self.top("bucket"), self.region())
            if n == "unique_id": return "AROA" + self.hx("u", 17).upper()
        r = random_like(self, n)
        if r is not None: return r
        if n in ("owner_id", "account_id", "registry_id", "aws_account_id", "requester_id"): return ACCOUNT
        if n in ("partition",): return "aws"
        if n in ("dns_suffix",): return "amazonaws.com"
        if n == "arn" or n.endswith("_arn"):
            k = n[:-4] or "resource"
            if "role" in k: return "arn:aws:iam::%s:role/mock-%s-%s" % (ACCOUNT, s, n)
            return "arn:aws:%s:%s:%s:%s/mock-%s" % ("kms" if "kms" in k else s.split("_")[0], self.region(), ACCOUNT, k.replace("_", "-"), self.hx(path, 8))
        if n.endswith("_arns"): return "arn:aws:iam::%s:role/mock" % ACCOUNT
        if n == "issuer": return "https://oidc.eks.%s.amazonaws.com/id/%s" % (self.region(), self.hx("eks", 32).upper())
        if path.endswith("certificate_authority.data") or n == "certificate_authority_data": return base64.b64encode(b"-----BEGIN CERTIFICATE-----\nbW9jaw==\n-----END CERTIFICATE-----\n").decode()
        if n in ("json", "minified_json", "policy", "assume_role_policy", "policy_document"): return '{"Version":"2012-10-17","Statement":[]}'
        if n in ("vpc_id",): return "vpc-" + self.hx(path, 17)
        if n.endswith("subnet_id") or n == "subnet_ids": return "subnet-" + self.hx(path, 17)
        if n.endswith(("security_group_id", "security_group_ids")): return "sg-" + self.hx(path, 17)
        if n.endswith("route_table_id"): return "rtb-" + self.hx(path, 17)
        if n.endswith("network_interface_id"): return "eni-" + self.hx(path, 17)
        if n.endswith("network_acl_id"): return "acl-" + self.hx(path, 17)
        if n in ("zone_id", "hosted_zone_id"): return "Z" + self.hx(path, 20).upper()
        if n in ("image_id", "ami_id") or s == "ami" and n == "id": return "ami-" + self.hx(path, 17)
        if n == "public_ip": return "203.0.113.%d" % (int(self.hx(path, 4), 16) % 250 + 1)
        if n in ("private_ip", "primary_private_ip"): return "10.0.0.%d" % (int(self.hx(path, 4), 16) % 250 + 1)
        if n == "prefix_list_id": return "pl-" + self.hx(path, 17)
        if n == "cidr_block" or n.endswith("_cidr") or n == "cidr_ipv4": return "10.%d.0.0/16" % (int(self.hx(path, 2), 16))
        if n.endswith("ipv6_cidr_block") or n == "ipv6_cidr": return "2600:1f00:%s::/56" % self.hx(path, 4)
        if n == "availability_zone": return self.region() + "a"
        if n == "availability_zone_id": return "use1-az1"
        if n.endswith(("_at", "_date", "_time", "rfc3339", "_timestamp")) or n in ("creation_date", "not_after", "not_before", "last_updated"): return "2024-01-01T00:00:00Z"
        if n == "status" or n == "state": return {"eks_cluster": "ACTIVE", "eks_addon": "ACTIVE", "eks_node_group": "ACTIVE", "db_instance": "available"}.get(s, "available")
        if n in ("token", "authorization_token"): return "mock-token-" + self.hx(path, 12)
        if n.endswith("password"): return "Mock0-" + self.hx(path, 16)
        if n.endswith(("_url",)): return "https://mock.example.com/%s" % self.hx(path, 8)
        if n == "etag": return self.hx(path, 32)
        if n.endswith(("version", "_version_actual")) and path == n: return {"eks_cluster": "1.33", "eks_addon": "v1.0.0-eksbuild.1", "eks_addon_version": "v1.0.0-eksbuild.1"}.get(s, "1")
        return "mock-%s-%s-%s" % (s, n, self.hx(path, 8))
    def number(self, n):
        if n == "port":
            e = str(self.known("engine") or ""); return self.known("port") or FQ_PORTS.get(e, 443)
        if n.endswith("version"): return 1
        r = random_like(self, n, True)
        return r if r is not None else 0 if n.startswith("min_") else 1
    def val(self, ty, n, path):
        if ty == "string": return self.top(n) if path == n else self.string(n, path)
        if ty == "number": return self.number(n)
        if ty == "bool": return False
        if ty == "dynamic": return [b'"string"', "mock-%s-%s" % (self.short, n)]
        k = ty[0]
        if k == "map": return {}
        if k == "object": return {a: self.val(t, a, path + "." + a) for a, t in ty[1].items()}
        if k == "tuple": return [self.val(t, n, path) for t in ty[1]]
        if n == "name_servers": return ["ns-%d.awsdns-%02d.%s" % (i + 1, i + 1, t) for i, t in enumerate(("com", "net", "org", "co.uk"))]
        if isinstance(ty[1], list): return [self.val(ty[1], n, path)]
        if self.typ == "random_shuffle" and n == "result": return (self.obj.get("input") or [])[: self.obj.get("result_count") or None]
        if n.endswith(("policies", "tags", "filters", "aliases", "features", "ipv6_cidr_blocks", "_ipv6s", "managed_policy_arns", "alternative_names")): return []
        if ty[1] == "string":
            k = 3 if n in ("ids", "names", "arns") or self.typ in ("aws_subnets", "aws_vpcs") else 1
            base = {"aws_subnets": "subnet-", "aws_vpcs": "vpc-", "aws_security_groups": "sg-", "aws_route_tables": "rtb-"}.get(self.typ)
            one = lambda i: base + self.hx(path + str(i), 17) if base and n == "ids" else self.string(re.sub("s$", "", n), path + str(i)) if k > 1 else self.string(re.sub("s$", "", n) if n.endswith(("_ids", "_arns")) else n, path + "." + str(i))
            return [one(i) for i in range(k)]
        return [self.val(ty[1], n, path + ".%d" % i) for i in range(1)]

def random_like(m, n, num=False):
    """values of the utility providers"""
    t, g = m.typ, m.obj.get
    if t in ("random_password", "random_string", "aws_secretsmanager_random_password"):
        if n in ("result", "id", "random_password") and not num:
            ln = g("length") or g("password_length") or 32
            if t == "random_password" and n == "id": return "none"
            a = "".join(c for c, f in (("abcdefghijkmnopqrstuvwxyz", g("lower")), ("ABCDEFGHJKLMNPQRSTUVWXYZ", g("upper")), ("0123456789", g("numeric")), (g("override_special") or "!@#%&*()-_=+[]{}<>:?", g("special"))) if f is not False) or "a"
            x = int(hashlib.sha512((m.h + "pw").encode()).hexdigest(), 16) ** 4
            o = []
            while len(o) < ln: o.append(a[x % len(a)]); x = x // len(a) or int(hashlib.sha512((m.h + str(len(o))).encode()).hexdigest(), 16)
            return "".join(o)
        if n == "bcrypt_hash": return "$2a$10$" + m.hx("bc", 53)
    if t == "random_id" and not num:
        b = bytes.fromhex(hashlib.sha512(m.h.encode()).hexdigest())[: int(g("byte_length") or 8)]; p = g("prefix") or ""
        return {"hex": p + b.hex(), "b64_std": p + base64.b64encode(b).decode(), "b64_url": p + base64.urlsafe_b64encode(b).decode().rstrip("="), "id": base64.urlsafe_b64encode(b).decode().rstrip("="), "dec": p + str(int.from_bytes(b, "big"))}.get(n)
    if t == "random_integer": return g("min") if n == "result" and num else str(g("min")) if n == "id" else None
    if t == "random_pet" and n == "id": return (g("separator") or "-").join(filter(None, [g("prefix"), "mock", "pet", m.hx("pet", 4)]))
    if t == "random_uuid": return m.uuid() if n in ("id", "result") else None
    if t == "null_resource" and n == "id": return str(int(m.hx("null", 14), 16))
    if t.startswith("time_"):
        if num: return {"year": 2024, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "unix": 1704067200}.get(n, 0)
        return "2024-01-01T00:00:00Z"
    if t.startswith("tls_"):
        if "private_key" in n and not num: return "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n" % base64.b64encode(m.h.encode()).decode()
        if "public_key" in n and n.endswith("openssh"): return "ssh-ed25519 AAAA%s\n" % m.hx("ssh", 40)
        if n.endswith("_pem") or n == "cert_pem": return "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % base64.b64encode(m.h.encode()).decode()
        if n == "sha1_fingerprint": return m.hx("sha1", 40)
    return None

# ---------------------------------------------------------------- AWS data sources with real logic
AZS = {"us-east-1": "use1", "us-east-2": "use2", "us-west-2": "usw2", "eu-west-1": "euw1", "eu-central-1": "euc1", "ap-southeast-1": "apse1", "ap-northeast-1": "apne1"}
def policy_document(c):
    def sl(v): v = [x.replace("&{", "${") for x in v or []]; return None if not v else v[0] if len(v) == 1 else sorted(v, reverse=True)
    def princ(bl):
        o = {}
        for p in bl or []: o.setdefault(p["type"], []).extend(p["identifiers"] or [])
        if not o: return None
        if list(o) == ["*"] and o["*"] == ["*"]: return "*"
        return {k: sl(v) for k, v in sorted(o.items())}
    def merge(doc, base):
        base = dict(base); st = list(base.get("Statement") or [])
        for s in doc.get("Statement") if isinstance(doc.get("Statement"), list) else [doc["Statement"]] if doc.get("Statement") else []:
            i = next((i for i, x in enumerate(st) if s.get("Sid") and x.get("Sid") == s.get("Sid")), None)
            if i is None: st.append(s)
            else: st[i] = s
        base.update({k: v for k, v in doc.items() if k != "Statement" and v}); base["Statement"] = st
        return base
    out = {"Version": "2012-10-17"}
    for d in c.get("source_policy_documents") or []:
        if d: out = merge(json.loads(d), out)
    own = {"Version": c.get("version") or "2012-10-17"}
    if c.get("policy_id"): own["Id"] = c["policy_id"]
    own["Statement"] = []
    for s in c.get("statement") or []:
        x = {"Sid": s.get("sid") or None, "Effect": s.get("effect") or "Allow", "Action": sl(s.get("actions")), "NotAction": sl(s.get("not_actions")), "Resource": sl(s.get("resources")), "NotResource": sl(s.get("not_resources")),
             "Principal": princ(s.get("principals")), "NotPrincipal": princ(s.get("not_principals"))}
        cond = {}
        for k in s.get("condition") or []:
            v = [y.replace("&{", "${") for y in k["values"] or []]; cond.setdefault(k["test"], {})[k["variable"].replace("&{", "${")] = v[0] if len(v) == 1 else v
        x["Condition"] = cond or None
        own["Statement"].append({k: v for k, v in x.items() if v is not None})
    sids = [s["Sid"] for s in own["Statement"] if "Sid" in s]
    dup = next((s for s in sids if sids.count(s) > 1), None)
    if dup: raise ValueError("duplicate Sid (%s)" % dup)
    out = merge(own, out)
    for d in c.get("override_policy_documents") or []:
        if d: out = merge(json.loads(d), out)
    return out
def special_data(t, c, conn, m):
    r = m.region(); p = {}
    if t == "aws_availability_zones":
        z = [a for a in "abc" if r + a not in (c.get("exclude_names") or [])]; q = AZS.get(r, "".join(x[0] for x in r.split("-")[:-1]) + r[-1])
        p = dict(id=r, names=[r + a for a in z], zone_ids=["%s-az%d" % (q, "abc".index(a) + 1) for a in z], group_names=[r + "-zg-1"])
    elif t == "aws_caller_identity": p = dict(id=ACCOUNT, account_id=ACCOUNT, arn="arn:aws:iam::%s:user/mock" % ACCOUNT, user_id="AIDAMOCKMOCKMOCKMOCKM")
    elif t == "aws_partition": p = dict(id="aws", partition="aws", dns_suffix="amazonaws.com", reverse_dns_prefix="com.amazonaws")
    elif t == "aws_region": p = dict(id=r, name=r, description="Mock (%s)" % r, endpoint="ec2.%s.amazonaws.com" % r)
    elif t == "aws_iam_policy_document":
        d = policy_document(c); p = dict(json=json.dumps(d, indent=2, ensure_ascii=False), minified_json=json.dumps(d, separators=(",", ":"), ensure_ascii=False)); p["id"] = str(int(hashlib.sha256(p["json"].encode()).hexdigest()[:8], 16))
        p["version"] = c.get("version") or "2012-10-17"
    elif t == "aws_iam_session_context": p = dict(issuer_arn=c.get("arn"), issuer_name=(c.get("arn") or "").split("/")[-1], issuer_id="", session_name="", id=c.get("arn"))
    elif t == "aws_eks_cluster_auth": p = dict(id=c.get("name"), token="k8s-aws-v1." + m.hx("tok", 24))
    elif t == "aws_default_tags": p = dict(id=r, tags=dict(conn.get("default_tags") or {}))
    elif t == "aws_arn": 
        a = c["arn"].split(":", 5); p = dict(id=c["arn"], partition=a[1], service=a[2], region=a[3], account=a[4], resource=a[5])
    elif t == "aws_service_principal": p = dict(name="%s.amazonaws.com" % c.get("service_name"), suffix="amazonaws.com", id="%s.%s.amazonaws.com" % (c.get("service_name"), r))
    elif t == "aws_route53_zone": p = dict(name=c.get("name"), arn="arn:aws:route53:::hostedzone/" + (c.get("zone_id") or "Z" + m.hx("zone", 20).upper()), zone_id=c.get("zone_id") or "Z" + m.hx("zone", 20).upper()); p["id"] = p["zone_id"]
    elif t == "aws_ssm_parameter": p = dict(id=c.get("name"), type="String", version=1, value="ami-" + m.hx("ami", 17) if "/ami" in (c.get("name") or "") or "image" in (c.get("name") or "") else "mock-value-" + m.hx("v", 8)); p["insecure_value"] = p["value"]
    return p
# ---------------------------------------------------------------- provider functions of hashicorp/aws
def call_function(n, a):
    if n == "arn_build": return "arn:" + ":".join(a)
    if n == "arn_parse":
        p = a[0].split(":", 5)
        if len(p) != 6 or p[0] != "arn": raise ValueError("arn parsing failed: invalid ARN")
        return dict(zip(("partition", "service", "region", "account_id", "resource"), p[1:]))
    if n == "trim_iam_role_path":
        p = a[0].split(":", 5)
        if len(p) != 6 or not p[5].startswith("role/"): raise ValueError("not an IAM role ARN")
        return ":".join(p[:5]) + ":role/" + p[5].split("/")[-1]
    if n == "user_agent": return "%s/%s (%s)" % tuple(a)
    raise ValueError("function %s has no stand-in" % n)

# ---------------------------------------------------------------- one provider
class Provider:
    def __init__(self, addr, sch, rules=None):
        self.addr, self.sch = addr, sch
        self.rules = (rules or {}).get("rules", {}); self.fw = set((rules or {}).get("framework_types", []))
        self.res, self.data = sch.get("resource_schemas", {}), sch.get("data_source_schemas", {})
        self.eph, self.fns = sch.get("ephemeral_resource_schemas", {}), sch.get("functions", {})
        self.ver = 6 if "nested_type" in json.dumps(sch) else 5
        self.M = messages(self.ver); self.conns = {}; self.twins = {}; self.lock = threading.Lock()
        self.schema_bytes = self.build().SerializeToString()
    # --- schema
    def attr(self, n, a):
        M = self.M; x = M.Attribute(name=n)
        for f in ("required", "optional", "computed", "sensitive", "deprecated", "write_only"):
            if a.get(f): setattr(x, f, True)
        if "nested_type" in a:
            x.nested_type.nesting = NEST[a["nested_type"]["nesting_mode"]]
            for k, v in sorted(a["nested_type"]["attributes"].items()): x.nested_type.attributes.append(self.attr(k, v))
        else: x.type = json.dumps(a["type"]).encode()
        return x
    def block(self, b):
        x = self.M.Block()
        for n, a in sorted(b.get("attributes", {}).items()): x.attributes.append(self.attr(n, a))
        for n, t in sorted(b.get("block_types", {}).items()):
            x.block_types.append(self.M.NestedBlock(type_name=n, block=self.block(t["block"]), nesting=NEST[t["nesting_mode"]], min_items=t.get("min_items", 0), max_items=t.get("max_items", 0)))
        if b.get("deprecated"): x.deprecated = True
        return x
    def schema(self, s): return self.M.Schema(version=s.get("version", 0), block=self.block(s.get("block", {})))
    def build(self):
        M = self.M; r = M.SchemaResp(provider=self.schema(self.sch.get("provider") or {}))
        r.server_capabilities.plan_destroy = False; r.server_capabilities.get_provider_schema_optional = True
        if self.addr.endswith("hashicorp/aws"): r.provider_meta.CopyFrom(self.schema({"block": {"attributes": {"user_agent": {"type": ["list", "string"], "optional": True}}}}))   # not in `providers schema -json`
        for f, d in (("resource_schemas", self.res), ("data_source_schemas", self.data), ("ephemeral_resource_schemas", self.eph)):
            for n, s in sorted(d.items()): getattr(r, f).append(M.SchemaEntry(key=n, value=self.schema(s)))
        for n, f in sorted(self.fns.items()):
            e = M.FunctionEntry(key=n); getattr(e.value, "return").type = json.dumps(f["return_type"]).encode()
            for p in f.get("parameters", []): e.value.parameters.append(M.Param(name=p["name"], type=json.dumps(p["type"]).encode()))
            r.functions.append(e)
        return r
    def diag(self, lst, summary, detail, path=(), warn=False):
        d = self.M.Diagnostic(severity=2 if warn else 1, summary=summary, detail=detail)
        for s in path:
            if isinstance(s, int): d.attribute.steps.add(element_key_int=s)
            else: d.attribute.steps.add(attribute_name=s)
        lst.append(d)
    def dv(self, v): return self.M.DynamicValue(msgpack=pack(v))
    # --- rule checks on a configuration
    def check(self, key, block, cfg, out):
        if cfg is None: return
        self._readonly(block, cfg, (), out)
        R = self.rules.get(key)
        if R: self._check(R, block, cfg, cfg, (), "", out, set())
    def _readonly(self, block, cfg, path, out):
        """schema alone: a computed-only attribute has no place in a configuration"""
        for n, a in block.get("attributes", {}).items():
            if a.get("computed") and not a.get("optional") and not a.get("required") and cfg.get(n) is not None:
                self.diag(out, "Value for unconfigurable attribute", "Can't configure a value for \"%s\": its value will be decided automatically based on the result of applying this configuration." % n, path + (n,))
        for n, t in block.get("block_types", {}).items():
            v = cfg.get(n)
            for i, x in enumerate(v if isinstance(v, list) else [v] if isinstance(v, dict) and t["nesting_mode"] in ("single", "group") else []):
                if isinstance(x, dict): self._readonly(t["block"], x, path + (n,) + ((i,) if t["nesting_mode"] == "list" else ()), out)
    def _get(self, cfg, local, p):
        if p.startswith("~"): return local.get(p[1:])
        v = cfg
        for s in p.split("."):
            if isinstance(v, list) and s.isdigit(): v = v[int(s)] if int(s) < len(v) else None
            elif isinstance(v, dict): v = v.get(s)
            elif isinstance(v, list): v = v[0].get(s) if v and isinstance(v[0], dict) else None
            if v is None or unk(v): return v
        return v if v != [] else None
    def _check(self, R, block, top, cfg, path, pre, out, seen):
        names = dict(block.get("attributes", {})); bt = block.get("block_types", {})
        for n in list(names) + list(bt):
            r = R.get(pre + n); v = cfg.get(n); here = path + (n,)
            if n in bt and v == []: v = None
            if r:
                for kind in ("exactly_one_of", "at_least_one_of"):
                    if kind not in r or (kind, path, tuple(sorted(r[kind]))) in seen: continue
                    seen.add((kind, path, tuple(sorted(r[kind]))))   # every member carries the rule: report it once
                    vs = [self._get(top, cfg, x) for x in r[kind]]; nset = sum(1 for x in vs if x is not None and not unk(x)); nunk = sum(1 for x in vs if unk(x))
                    lst = ",".join("`%s`" % x.replace("~", "") for x in sorted(r[kind]))
                    if nset == 0 and nunk == 0: self.diag(out, "Missing required argument" if kind == "at_least_one_of" else "Invalid combination of arguments", "%s: one of %s must be specified" % (pre + n, lst), here)
                    if kind == "exactly_one_of" and nset > 1: self.diag(out, "Invalid combination of arguments", "%s: only one of %s can be specified" % (pre + n, lst), here)
                if v is not None and not unk(v):
                    for x in r.get("conflicts_with", []):
                        o = self._get(top, cfg, x)
                        if o is not None and not unk(o) and x.lstrip("~") != n: self.diag(out, "Conflicting configuration arguments", "%s: conflicts with %s" % (pre + n, x.lstrip("~")), here)
                    for x in r.get("required_with", []):
                        if self._get(top, cfg, x) is None: self.diag(out, "Missing required argument", "%s: all of `%s` must be specified" % (pre + n, ",".join(r["required_with"])), here)
                    if n in names: self._value(r, v, here, pre + n, out)
            if n in bt and v is not None and not unk(v):
                t = bt[n]; items = v if isinstance(v, list) else list(v.values()) if t["nesting_mode"] == "map" else [v]
                for i, x in enumerate(items):
                    if isinstance(x, dict): self._check(R, t["block"], top, x, here + ((i,) if t["nesting_mode"] == "list" else ()), pre + n + ".", out, seen)
    def _value(self, r, v, path, label, out):
        if isinstance(v, (list, dict)):
            e = r.get("elem")
            if e:
                for i, x in enumerate(v if isinstance(v, list) else v.values()):
                    if x is not None and not unk(x): self._value(e, x, path, label, out)
            return
        def bad(what): self.diag(out, "Invalid value", "%s: %s, got: %r" % (label, what, v), path)
        if "enum" in r and isinstance(v, str):
            ok = v in r["enum"] or r.get("enum_ignore_case") and v.lower() in [x.lower() for x in r["enum"]]
            if not ok: bad("expected to be one of %s" % json.dumps(r["enum"][:40]))
        if isinstance(v, (int, float)) and not isinstance(v, bool):
            if "int_between" in r:
                lo, hi = r["int_between"]
                if lo is not None and v < lo or hi is not None and v > hi: bad("expected to be in the range (%s - %s)" % (lo, hi))
            if "int_enum" in r and v not in r["int_enum"]: bad("expected to be one of %s" % r["int_enum"])
        if isinstance(v, str):
            if "len_between" in r and not r["len_between"][0] <= len(v.encode()) <= r["len_between"][1]: bad("expected length to be in the range (%s - %s)" % tuple(r["len_between"]))
            if r.get("not_empty") and v == "": bad("expected not to be an empty string")
            for x in r.get("regex", []):
                if not re.search(x, v): bad("must match the regular expression %s" % x)
            if "cidr" in r and v != "":
                try:
                    n = ipaddress.ip_network(v, strict=True)
                    if r["cidr"] in (4, 6) and r["cidr"] is not True and n.version != r["cidr"]: bad("expected an IPv%d CIDR block" % r["cidr"])
                except ValueError as e: bad("is not a valid CIDR block: %s" % e)
            if r.get("arn") and v != "" and not re.match(r"^arn:aws(-[a-z]+)*:[^:]+:([a-z]{2}(-[a-z]+)+-\d)?:(aws|aws-managed|third-party|aws-marketplace|\d{12}|cw.{10})?:.+", v): bad("is an invalid ARN")
            if r.get("json") and v != "":
                try: json.loads(v)
                except ValueError as e: bad("contains an invalid JSON: %s" % e)
    # --- planning
    def plan_block(self, block, key, pre, cfg, prior, prop, creating):
        """prop with computed-and-unset made unknown, defaults filled in, write-only nulled"""
        R = self.rules.get(key, {}); o = {}
        for n, a in block.get("attributes", {}).items():
            c, p = (cfg or {}).get(n), (prop or {}).get(n); r = R.get(pre + n, {})
            if a.get("write_only"): o[n] = None; continue
            if c is None and "default" in r and (a.get("optional") or a.get("computed")): o[n] = coerce(a.get("type"), r["default"]); continue
            if p is None and a.get("computed"): o[n] = UNK if creating or prior is None else None; continue
            if "nested_type" in a and p is not None and not unk(p):
                nb = {"attributes": a["nested_type"]["attributes"]}; q = (prior or {}).get(n)
                one = lambda cc, qq, pp: self.plan_block(nb, key, pre + n + ".", cc, qq, pp, creating) if isinstance(pp, dict) else pp
                m = a["nested_type"]["nesting_mode"]
                if m == "single": p = one(c, q, p)
                elif m == "map": p = {k: one((c or {}).get(k), (q or {}).get(k), x) for k, x in p.items()}
                else: p = [one(at(c, i), at(q, i), x) for i, x in enumerate(p)]
            o[n] = p
        for n, t in block.get("block_types", {}).items():
            c, p, q = (cfg or {}).get(n), (prop or {}).get(n), (prior or {}).get(n); m = t["nesting_mode"]
            one = lambda cc, qq, pp: self.plan_block(t["block"], key, pre + n + ".", cc, qq, pp, creating) if isinstance(pp, dict) else pp
            if not c and R.get(pre + n, {}).get("computed_block") and m in ("list", "set"):   # Optional+Computed block left out: the provider's answer
                o[n] = UNK if creating or prior is None else q if q is not None else []; continue
            if p is None or unk(p): o[n] = p
            elif m in ("single", "group"): o[n] = one(c, q, p)
            elif m == "map": o[n] = {k: one((c or {}).get(k), (q or {}).get(k), x) for k, x in p.items()}
            elif m == "list": o[n] = [one(at(c, i), at(q, i), x) for i, x in enumerate(p)]
            else: o[n] = [one(match(x, c, t["block"]), match(x, q, t["block"]), x) for x in p]
        return o
    def fill(self, block, m, obj, path=""):
        """unknown -> mock value"""
        for n, a in block.get("attributes", {}).items():
            v = obj.get(n); pp = path + n
            if unk(v): obj[n] = self.mock_attr(a, m, n, pp)
            elif "nested_type" in a and v is not None:
                nb = {"attributes": a["nested_type"]["attributes"]}
                for x in ([v] if a["nested_type"]["nesting_mode"] == "single" else v.values() if isinstance(v, dict) else v):
                    if isinstance(x, dict): self.fill(nb, m, x, pp + ".")
            elif not wholly_known(v): obj[n] = deep(v, lambda: "mock-%s-%s" % (m.short, n))
        for n, t in block.get("block_types", {}).items():
            v = obj.get(n)
            if unk(v) and self.rules.get(m.typ, {}).get(path + n, {}).get("computed_block"):
                obj[n] = [self.mock_block(t["block"], m, path + n)]; continue
            if unk(v): obj[n] = [] if t["nesting_mode"] in ("list", "set") else {} if t["nesting_mode"] == "map" else None; continue
            for i, x in enumerate(v if isinstance(v, list) else v.values() if isinstance(v, dict) and t["nesting_mode"] == "map" else [v] if v else []):
                if isinstance(x, dict): self.fill(t["block"], m, x, path + n + ("." if i == 0 else "%d." % i))
        return obj
    def mock_block(self, b, m, path):
        o = {n: self.mock_attr({**a, "optional": False}, m, n, path + "." + n) for n, a in b.get("attributes", {}).items()}
        for n, t in b.get("block_types", {}).items(): o[n] = [] if t["nesting_mode"] in ("list", "set") else {} if t["nesting_mode"] == "map" else None
        return o
    def mock_attr(self, a, m, n, path):
        if a.get("optional"):   # what the service would most often answer: nothing set
            if isinstance(a.get("type"), list) and a["type"][0] in ("list", "set"): return []
            if n.endswith("name_prefix") or n.endswith("policy") and a.get("type") == "string": return ""
        if "nested_type" in a:
            o = {k: self.mock_attr(x, m, k, path + "." + k) if x.get("computed") else None for k, x in a["nested_type"]["attributes"].items()}
            return {"single": o, "map": {}}.get(a["nested_type"]["nesting_mode"], [o])
        return m.val(a["type"], n, path)
    def tags_all(self, conn, obj, block):
        A = block.get("attributes", {})
        if self.addr.endswith("/aws") and "tags_all" in A and "tags" in A:
            t = obj.get("tags")
            if unk(t) or not wholly_known(t): obj["tags_all"] = UNK
            else:
                d = {**(conn.get("default_tags") or {}), **{k: v for k, v in (t or {}).items() if v is not None}}
                obj["tags_all"] = d
        if self.addr.endswith("/aws") and "region" in A and A["region"].get("computed") and (obj.get("region") is None or unk(obj.get("region"))) and conn.get("region"): obj["region"] = conn["region"]
    def mock(self, typ, obj, conn):
        h = Mock(typ, obj, conn).h
        with self.lock:
            k = conn.setdefault("twins", {}).get(h, 0); conn["twins"][h] = k + 1
        return Mock(typ, obj, conn, k)
    def replace_paths(self, typ, cfg, prior, planned):
        out = []
        for p, r in self.rules.get(typ, {}).items():
            if not r.get("force_new"): continue
            ps = p.split(".")
            def walk(a, b, c, i, steps):
                if i == len(ps):
                    if r.get("force_new_note") and c is None: return
                    if not same(a, b) and not (a in (None, [], {}, "") and b in (None, [], {}, "")): out.append(steps)
                    return
                if unk(a) or unk(b): out.append(steps); return
                if isinstance(a, list) or isinstance(b, list):
                    a, b, c = a or [], b or [], c if isinstance(c, list) else []
                    if len(a) != len(b):
                        if any(isinstance(x, dict) and x.get(ps[i]) not in (None, "", [], False, 0) for x in a + b): out.append(steps)
                        return
                    for j, (x, y) in enumerate(zip(a, b)): walk(x, y, at(c, j), i, steps + [j] if isinstance(x, dict) else steps)
                    return
                if isinstance(a, dict) and isinstance(b, dict): walk(a.get(ps[i]), b.get(ps[i]), (c or {}).get(ps[i]) if isinstance(c, dict) else None, i + 1, steps + [ps[i]])
                elif a != b: out.append(steps)
            walk(prior, planned, cfg, 0, [])
        f = COND_REPLACE.get(typ)
        if f: out += [[n] for n in f(prior, planned)]
        return out
    # --- RPCs
    def conn(self, ctx):
        with self.lock: return self.conns.setdefault(ctx.peer(), {})
    def rpc_schema(self, req, ctx): return self.schema_bytes
    def rpc_metadata(self, req, ctx):
        M = self.M; r = M.Metadata(); r.server_capabilities.get_provider_schema_optional = True
        for f, d in (("resources", self.res), ("data_sources", self.data), ("ephemeral_resources", self.eph)):
            for n in sorted(d): getattr(r, f).add(type_name=n)
        for n in sorted(self.fns): r.functions.add(name=n)
        return r
    def rpc_prepare(self, req, ctx):
        r = self.M.PrepResp(); cfg = dec(req.config)
        self.check("provider", (self.sch.get("provider") or {}).get("block", {}), cfg, r.diagnostics)
        if self.ver == 5: r.prepared_config.CopyFrom(req.config)
        return r
    def rpc_configure(self, req, ctx):
        c = dec(req.config) or {}; k = self.conn(ctx); k.clear(); k["twins"] = {}
        if self.addr.endswith("/aws"):
            r = c.get("region"); k["region"] = (r if isinstance(r, str) else None) or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
            d = c.get("default_tags"); d = d[0].get("tags") if isinstance(d, list) and d and isinstance(d[0], dict) else None
            k["default_tags"] = {a: b for a, b in (d or {}).items() if isinstance(b, str)} if isinstance(d, dict) else {}
        return self.M.Diags()
    def validate(self, key, d):
        def f(req, ctx):
            r = self.M.Diags(); s = d.get(req.type_name)
            if s is None: self.diag(r.diagnostics, "Unknown type", req.type_name); return r
            self.check(key + req.type_name, s["block"], dec(req.config), r.diagnostics); return r
        return f
    def rpc_upgrade(self, req, ctx):
        r = self.M.UpgResp(); st = json.loads(req.raw_state.json or b"null"); b = self.res[req.type_name]["block"]
        known = set(b.get("attributes", {})) | set(b.get("block_types", {}))
        if isinstance(st, dict): st = {k: v for k, v in st.items() if k in known}
        r.upgraded_state.json = json.dumps(st).encode(); return r
    def rpc_read(self, req, ctx):
        r = self.M.ReadResp(private=req.private); r.new_state.CopyFrom(req.current_state); return r
    def rpc_plan(self, req, ctx):
        M = self.M; r = M.PlanResp(planned_private=req.prior_private); t = req.type_name; b = self.res[t]["block"]
        prior, prop, cfg = dec(req.prior_state), dec(req.proposed_new_state), dec(req.config); conn = self.conn(ctx)
        if self.ver == 5 and t not in self.fw: r.legacy_type_system = True
        if prop is None: r.planned_state.CopyFrom(self.dv(None)); return r
        p = self.plan_block(b, t, "", cfg, prior, prop, prior is None)
        self.tags_all(conn, p, b)
        if t == "aws_acm_certificate" and prior is None and isinstance(p.get("domain_name"), str):
            san = p.get("subject_alternative_names"); names = [p["domain_name"]] + sorted(x for x in (san if isinstance(san, list) and wholly_known(san) else []) if x != p["domain_name"])
            if not unk(san) or (cfg or {}).get("subject_alternative_names") is None:
                p["domain_validation_options"] = [{"domain_name": n, "resource_record_name": UNK, "resource_record_type": UNK, "resource_record_value": UNK} for n in names]
        if prior is not None:
            for steps in self.replace_paths(t, cfg, prior, p):
                a = r.requires_replace.add()
                for s in steps:
                    if isinstance(s, int): a.steps.add(element_key_int=s)
                    else: a.steps.add(attribute_name=s)
        r.planned_state.CopyFrom(self.dv(p)); return r
    def rpc_apply(self, req, ctx):
        M = self.M; r = M.ApplyResp(private=req.planned_private); t = req.type_name; conn = self.conn(ctx)
        if self.ver == 5 and t not in self.fw: r.legacy_type_system = True
        p = dec(req.planned_state)
        if p is not None:
            m = self.mock(t, p, conn)
            if t == "aws_acm_certificate" and isinstance(p.get("domain_validation_options"), list):
                for x in p["domain_validation_options"]:
                    d = x["domain_name"].removeprefix("*."); h = hashlib.sha256(d.encode()).hexdigest()
                    x.update(resource_record_name="_%s.%s." % (h[:32], d), resource_record_type="CNAME", resource_record_value="_%s.acm-validations.aws." % h[32:])
            p = self.fill(self.res[t]["block"], m, p)
        r.new_state.CopyFrom(self.dv(p)); return r
    def rpc_import(self, req, ctx):
        r = self.M.ImpResp(); b = self.res[req.type_name]["block"]; o = self.plan_block(b, req.type_name, "", {}, None, {}, True)
        for n, t in b.get("block_types", {}).items(): o[n] = [] if t["nesting_mode"] in ("list", "set") else {} if t["nesting_mode"] == "map" else None
        if "id" in b["attributes"]: o["id"] = req.id
        o = self.fill(b, Mock(req.type_name, o, self.conn(ctx)), o)
        r.imported_resources.add(type_name=req.type_name, state=self.dv(o)); return r
    def read_like(self, b, typ, cfg, conn, special):
        o = self.plan_block(b, "data." + typ, "", cfg, None, cfg, True)
        m = self.mock(typ, cfg, conn)
        for k, v in special(m).items():
            if k in b["attributes"]: o[k] = v
        if self.addr.endswith("/aws") and "region" in b["attributes"] and (o.get("region") is None or unk(o.get("region"))): o["region"] = m.region()
        m.obj = {**o}; m.cache.clear()
        return self.fill(b, m, o)
    def rpc_data(self, req, ctx):
        r = self.M.DataResp(); t = req.type_name; cfg = dec(req.config); conn = self.conn(ctx)
        try: r.state.CopyFrom(self.dv(self.read_like(self.data[t]["block"], t, cfg, conn, lambda m: special_data(t, cfg, conn, m))))
        except ValueError as e: self.diag(r.diagnostics, "Reading %s" % t, str(e))
        return r
    def rpc_open(self, req, ctx):
        r = self.M.OpenResp(); t = req.type_name; cfg = dec(req.config)
        r.result.CopyFrom(self.dv(self.read_like(self.eph[t]["block"], t, cfg, self.conn(ctx), lambda m: {}))); return r
    def rpc_diags(self, req, ctx): return self.M.Diags()
    def rpc_call(self, req, ctx):
        r = self.M.CallResp()
        try: r.result.CopyFrom(self.dv(call_function(req.name, [dec(a) for a in req.arguments])))
        except Exception as e: r.error.text = str(e)
        return r
    def handlers(self):
        M, v6 = self.M, self.ver == 6
        T = [("GetProviderSchema" if v6 else "GetSchema", M.Empty, self.rpc_schema), ("GetMetadata", M.Empty, self.rpc_metadata),
             ("ValidateProviderConfig" if v6 else "PrepareProviderConfig", M.PrepReq, self.rpc_prepare),
             ("ValidateResourceConfig" if v6 else "ValidateResourceTypeConfig", M.ValReq, self.validate("", self.res)),
             ("ValidateDataResourceConfig" if v6 else "ValidateDataSourceConfig", M.ValReq, self.validate("data.", self.data)),
             ("ValidateEphemeralResourceConfig", M.ValReq, self.validate("ephemeral.", self.eph)),
             ("ConfigureProvider" if v6 else "Configure", M.ConfReq, self.rpc_configure), ("UpgradeResourceState", M.UpgReq, self.rpc_upgrade),
             ("ReadResource", M.ReadReq, self.rpc_read), ("PlanResourceChange", M.PlanReq, self.rpc_plan), ("ApplyResourceChange", M.ApplyReq, self.rpc_apply),
             ("ImportResourceState", M.ImpReq, self.rpc_import), ("ReadDataSource", M.DataReq, self.rpc_data), ("OpenEphemeralResource", M.OpenReq, self.rpc_open),
             ("RenewEphemeralResource", M.TypedPriv, self.rpc_diags), ("CloseEphemeralResource", M.TypedPriv, self.rpc_diags),
             ("GetFunctions", M.Empty, lambda q, c: M.SchemaResp()), ("CallFunction", M.CallReq, self.rpc_call), ("StopProvider" if v6 else "Stop", M.Empty, lambda q, c: M.Empty())]
        ser = lambda x: x if isinstance(x, bytes) else x.SerializeToString()
        H = {}
        for n, cls, fn in T: H["/tfplugin%d.Provider/%s" % (self.ver, n)] = grpc.unary_unary_rpc_method_handler(self.guard(n, fn), cls.FromString, ser)
        H["/grpc.health.v1.Health/Check"] = grpc.unary_unary_rpc_method_handler(lambda q, c: M.HealthResp(status=1), M.Empty.FromString, ser)
        H["/plugin.GRPCController/Shutdown"] = grpc.unary_unary_rpc_method_handler(lambda q, c: M.Empty(), M.Empty.FromString, ser)
        class G(grpc.GenericRpcHandler):
            def service(self, d): return H.get(d.method)
        return G()
    def guard(self, n, fn):
        def g(req, ctx):
            t0 = time.time()
            try: return fn(req, ctx)
            except Exception:
                import traceback; LOG("%s %s %s\n%s" % (self.addr, n, getattr(req, "type_name", ""), traceback.format_exc())); raise
            finally:
                if VERBOSE: LOG("%s %s %s %.1fms" % (self.addr, n, getattr(req, "type_name", ""), (time.time() - t0) * 1000))
        return g
def at(l, i): return l[i] if isinstance(l, list) and i < len(l) else None
def match(x, cands, block):
    """the element of a set that agrees with x on everything both have set"""
    for c in cands if isinstance(cands, list) else []:
        if isinstance(c, dict) and all(c.get(k) is None or x.get(k) is None or unk(c.get(k)) or unk(x.get(k)) or same(c[k], x[k]) for k in block.get("attributes", {})): return c
    return None
def coerce(ty, v):
    if ty == "string" and not isinstance(v, str): return json.dumps(v)
    if ty == "number" and isinstance(v, str): return float(v) if "." in v else int(v)
    if ty == "bool" and isinstance(v, str): return v == "true"
    if isinstance(ty, list): return None
    return v
def deep(v, f):
    if unk(v): return f()
    if isinstance(v, dict): return {k: deep(x, f) for k, x in v.items()}
    if isinstance(v, list): return [deep(x, f) for x in v]
    return v
COND_REPLACE = {   # the plan-time decisions of the provider that matter most here
    "aws_vpc": lambda a, b: ["instance_tenancy"] if a.get("instance_tenancy") != b.get("instance_tenancy") and (a.get("instance_tenancy"), b.get("instance_tenancy")) != ("dedicated", "default") else [],
    "aws_ssm_parameter": lambda a, b: ["tier"] if a.get("tier") == "Advanced" and b.get("tier") == "Standard" else [],
    "aws_eks_cluster": lambda a, b: ["encryption_config"] if a.get("encryption_config") and not b.get("encryption_config") else []}
VERBOSE = False
_log = sys.stderr
def LOG(s): print(s, file=_log, flush=True)

def start(a):
    rules = {}
    if not a.no_rules:
        for f in a.rules or sorted(glob.glob(os.path.join(a.schemas, "*_rules.json"))):
            d = json.load(open(f)); rules["registry.terraform.io/" + d["provider"]] = d
    servers, env = [], {}
    for f in sorted(glob.glob(os.path.join(a.schemas, "*.json"))):
        d = json.load(open(f))
        if not isinstance(d, dict) or "provider_schemas" not in d: continue
        for addr, sch in d["provider_schemas"].items():
            p = Provider(addr, sch, rules.get(addr))
            s = grpc.server(futures.ThreadPoolExecutor(max_workers=10), options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)])
            s.add_generic_rpc_handlers((p.handlers(),)); port = s.add_insecure_port("127.0.0.1:0"); s.start(); servers.append(s)
            env[addr] = env[addr.replace("registry.terraform.io", "registry.opentofu.org")] = {"Protocol": "grpc", "ProtocolVersion": p.ver, "Pid": os.getpid(), "Test": True, "Addr": {"Network": "tcp", "String": "127.0.0.1:%d" % port}}
    return servers, json.dumps(env)
def main():
    global VERBOSE, _log
    ap = argparse.ArgumentParser(); sub = ap.add_subparsers(dest="mode", required=True)
    for n in ("run", "serve"):
        q = sub.add_parser(n); q.add_argument("--schemas", required=True); q.add_argument("--rules", action="append"); q.add_argument("--no-rules", action="store_true")
        q.add_argument("--log"); q.add_argument("-v", action="store_true")
        if n == "run": q.add_argument("cmd", nargs=argparse.REMAINDER)
        else: q.add_argument("--env", required=True); q.add_argument("--pidfile")
    a = ap.parse_args(); VERBOSE = a.v
    if a.log: _log = open(a.log, "a")
    servers, env = start(a)
    if a.mode == "run":
        cmd = a.cmd[1:] if a.cmd[:1] == ["--"] else a.cmd
        rc = subprocess.call(cmd, env={**os.environ, "TF_REATTACH_PROVIDERS": env})
        for s in servers: s.stop(0)
        os._exit(rc if rc >= 0 else 128 - rc)
    tmp = a.env + ".tmp"
    with open(tmp, "w") as f: f.write("export TF_REATTACH_PROVIDERS='%s'\n" % env)
    os.replace(tmp, a.env)
    if a.pidfile: open(a.pidfile, "w").write(str(os.getpid()))
    ev = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, lambda *x: ev.set())
    ev.wait()
    for s in servers: s.stop(0)
    try: os.unlink(a.env)
    except OSError: pass
    os._exit(0)
if __name__ == "__main__": main()
