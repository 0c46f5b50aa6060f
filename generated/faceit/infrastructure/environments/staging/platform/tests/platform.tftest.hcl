# Written by blueprint. Change the blueprint instead.

# Runs without an AWS account: the provider is mocked, and the state is in memory. The mocks below set the values that the
# configuration parses, and those whose format the provider validates.
mock_provider "aws" {
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:444455556666:log-group:mock" }
  }

  mock_data "aws_route53_zone" {
    defaults = {
      arn          = "arn:aws:route53:::hostedzone/Z0123456789MOCK"
      name_servers = ["ns-1.mock.invalid", "ns-2.mock.invalid"]
      zone_id      = "Z0123456789MOCK"
    }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      status = "ISSUED"
      domain_validation_options = [{
        domain_name           = "mock.invalid"
        resource_record_name  = "_mock.invalid"
        resource_record_type  = "CNAME"
        resource_record_value = "_mock.acm-validations.aws"
      }]
    }
  }

  mock_resource "aws_route53_zone" {
    defaults = {
      arn          = "arn:aws:route53:::hostedzone/Z0123456789MOCK"
      name_servers = ["ns-1.mock.invalid", "ns-2.mock.invalid"]
      zone_id      = "Z0123456789MOCK"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }

  mock_resource "aws_eks_cluster" {
    defaults = {
      arn      = "arn:aws:eks:eu-west-1:444455556666:cluster/faceit-staging"
      identity = [{ oidc = [{ issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF" }] }]
    }
  }

  mock_resource "aws_eks_node_group" {
    defaults = {
      resources = [{ autoscaling_groups = [{ name = "eks-mock" }], remote_access_security_group_id = "" }]
    }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = {
      arn = "arn:aws:iam::444455556666:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::444455556666:role/mock" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:444455556666:key/01234567-89ab-cdef-0123-456789abcdef" }
  }
}

override_resource {
  target = aws_iam_role.cloudwatch_exporter
  values = { arn = "arn:aws:iam::444455556666:role/faceit-staging-cloudwatch-exporter" }
}

override_resource {
  target = aws_iam_role.cluster_autoscaler
  values = { arn = "arn:aws:iam::444455556666:role/faceit-staging-cluster-autoscaler" }
}

override_resource {
  target = aws_iam_role.ebs_csi_driver
  values = { arn = "arn:aws:iam::444455556666:role/faceit-staging-ebs-csi-driver" }
}

override_resource {
  target = aws_iam_role.external_dns
  values = { arn = "arn:aws:iam::444455556666:role/faceit-staging-external-dns" }
}

override_resource {
  target = aws_iam_role.load_balancer_controller
  values = { arn = "arn:aws:iam::444455556666:role/faceit-staging-load-balancer-controller" }
}

override_resource {
  target = aws_iam_role.vpc_cni
  values = { arn = "arn:aws:iam::444455556666:role/faceit-staging-vpc-cni" }
}

variables {
  issuer = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
}

run "subnets" {
  assert {
    condition = alltrue([
      for range in flatten([for zone in local.zones : values(zone)]) :
      cidrhost("${split("/", range)[0]}/${split("/", local.vpc_range)[1]}", 0) == cidrhost(local.vpc_range, 0)
    ])
    error_message = "Every subnet must be inside the range of the VPC."
  }

  assert {
    condition     = alltrue([for range in flatten([for zone in local.zones : values(zone)]) : cidrhost(range, 0) == split("/", range)[0]])
    error_message = "Subnet ranges must not have host bits set."
  }

  assert {
    condition = alltrue(flatten([
      for one in flatten([for zone in local.zones : values(zone)]) : [
        for other in flatten([for zone in local.zones : values(zone)]) :
        cidrhost("${split("/", other)[0]}/${split("/", one)[1]}", 0) != cidrhost(one, 0)
        if one != other && tonumber(split("/", one)[1]) <= tonumber(split("/", other)[1])
      ]
    ])) && length(distinct(flatten([for zone in local.zones : values(zone)]))) == length(flatten([for zone in local.zones : values(zone)]))
    error_message = "Subnets must not overlap."
  }

  assert {
    condition     = cidrhost("${split("/", local.service_range)[0]}/${split("/", local.vpc_range)[1]}", 0) != cidrhost(local.vpc_range, 0)
    error_message = "The Service range must not overlap the VPC."
  }

  assert {
    condition     = length(local.zones) >= 2 && alltrue([for zone, subnet in aws_subnet.private : subnet.availability_zone_id == zone])
    error_message = "Nodes must have subnets in at least two zones, one per zone."
  }

  assert {
    condition = alltrue(concat(
      [for subnet in aws_subnet.private : subnet.tags["kubernetes.io/role/internal-elb"] == "1"],
      [for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1"],
    ))
    error_message = "Subnets must have the tags by which the load balancer controller discovers them."
  }
}

run "nothing_is_open" {
  assert {
    condition     = length(aws_default_security_group.main.ingress) == 0 && length(aws_default_security_group.main.egress) == 0
    error_message = "The default security group must have no rules."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "Public subnets must not assign public addresses automatically."
  }

  assert {
    condition     = toset(keys(aws_nat_gateway.main)) == toset([local.gateway])
    error_message = "There must be one NAT gateway for all zones."
  }

  assert {
    condition     = aws_vpc.main.enable_dns_support && aws_vpc.main.enable_dns_hostnames
    error_message = "DNS support and DNS host names must be on for the private endpoint of the cluster."
  }

  assert {
    condition     = aws_flow_log.main.traffic_type == "ALL" && aws_cloudwatch_log_group.flow_logs.retention_in_days >= 365
    error_message = "Flow logs must record all traffic, with a retention of at least 365 days."
  }
}

run "control_plane" {
  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_private_access && !aws_eks_cluster.main.vpc_config[0].endpoint_public_access
    error_message = "The Kubernetes API must be reachable only from the VPC."
  }

  assert {
    condition     = toset(aws_eks_cluster.main.vpc_config[0].subnet_ids) == toset([for subnet in aws_subnet.private : subnet.id])
    error_message = "The cluster must be in the private subnets."
  }

  assert {
    condition     = length(aws_eks_cluster.main.enabled_cluster_log_types) == 5
    error_message = "All five control plane log types must be enabled."
  }

  assert {
    condition     = aws_cloudwatch_log_group.cluster.name == "/aws/eks/${aws_eks_cluster.main.name}/cluster"
    error_message = "The log group must be the one that EKS writes to."
  }

  assert {
    condition     = aws_eks_cluster.main.deletion_protection && aws_eks_cluster.main.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Deletion protection must be on, and extended support must be off."
  }

  assert {
    condition     = aws_eks_cluster.main.encryption_config[0].provider[0].key_arn == aws_kms_key.cluster.arn
    error_message = "Secrets must be encrypted with the key of the cluster."
  }

  assert {
    condition = alltrue([
      aws_eks_cluster.main.access_config[0].authentication_mode == "API",
      !aws_eks_cluster.main.access_config[0].bootstrap_cluster_creator_admin_permissions,
      contains(keys(aws_eks_access_entry.administrator), "arn:aws:iam::${local.account}:role/${local.name}-apply"),
    ])
    error_message = "Every administrator, including the apply role, must have an access entry."
  }
}

run "nodes" {
  assert {
    condition = alltrue([
      for template in aws_launch_template.node :
      template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1
    ])
    error_message = "Pods must not be able to reach the instance metadata service."
  }

  assert {
    condition = alltrue([
      for template in aws_launch_template.node :
      alltrue([for disk in template.block_device_mappings : disk.ebs[0].encrypted == "true" && disk.ebs[0].kms_key_id == aws_kms_key.volumes.arn])
    ])
    error_message = "Node disks must be encrypted with the key for volumes."
  }

  assert {
    condition = alltrue(flatten([
      for template in aws_launch_template.node : [
        for specification in template.tag_specifications :
        [for key, value in local.tags : specification.tags[key] == value]
      ]
    ]))
    error_message = "Resources that Auto Scaling creates must have the tags of the platform."
  }

  assert {
    condition = alltrue([
      for group in aws_eks_node_group.main :
      toset(group.subnet_ids) == toset([for subnet in aws_subnet.private : subnet.id]) && length(group.remote_access) == 0
    ])
    error_message = "Nodes must be in the private subnets and must not have an SSH key."
  }

  assert {
    condition     = alltrue([for group in aws_eks_node_group.main : group.version == aws_eks_cluster.main.version && can(regex("^[0-9.]+-[0-9a-f]{8}$", group.release_version))])
    error_message = "Nodes must have the Kubernetes version of the cluster and a pinned image release."
  }

  assert {
    condition = alltrue([
      for name, group in local.node_groups : length([
        for id, tag in aws_autoscaling_group_tag.autoscaler : id
        if local.autoscaler_tags[id].group == name
        && contains(["k8s.io/cluster-autoscaler/enabled", "k8s.io/cluster-autoscaler/${aws_eks_cluster.main.name}"], tag.tag[0].key)
      ]) == (group.min_size < group.max_size ? 2 : 0)
    ])
    error_message = "Every node group that can scale must have the two discovery tags of cluster-autoscaler."
  }
}

run "addons" {
  assert {
    condition = alltrue([
      for addon in merge(aws_eks_addon.before_nodes, aws_eks_addon.after_nodes) :
      can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", addon.addon_version))
    ])
    error_message = "Every add-on must have an exact version."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The VPC CNI must enforce network policies."
  }

  assert {
    condition = alltrue([
      aws_eks_addon.before_nodes["vpc-cni"].service_account_role_arn == aws_iam_role.vpc_cni.arn,
      aws_eks_addon.after_nodes["aws-ebs-csi-driver"].service_account_role_arn == aws_iam_role.ebs_csi_driver.arn,
    ])
    error_message = "Add-ons that call AWS must have their own role."
  }
}

run "role_of_cloudwatch_exporter" {
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.cloudwatch_exporter.assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = "sts.amazonaws.com"
          "${var.issuer}:sub" = "system:serviceaccount:cloudwatch-exporter:cloudwatch-exporter"
        }
      }
    }])
    error_message = "Only cloudwatch-exporter/cloudwatch-exporter may assume this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.cloudwatch_exporter.policy) <= 10240
    error_message = "Inline policies of a role are limited to 10240 characters."
  }
}

run "role_of_cluster_autoscaler" {
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.cluster_autoscaler.assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = "sts.amazonaws.com"
          "${var.issuer}:sub" = "system:serviceaccount:cluster-autoscaler:cluster-autoscaler"
        }
      }
    }])
    error_message = "Only cluster-autoscaler/cluster-autoscaler may assume this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.cluster_autoscaler.policy) <= 10240
    error_message = "Inline policies of a role are limited to 10240 characters."
  }
}

run "role_of_ebs_csi_driver" {
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.ebs_csi_driver.assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = "sts.amazonaws.com"
          "${var.issuer}:sub" = "system:serviceaccount:kube-system:ebs-csi-controller-sa"
        }
      }
    }])
    error_message = "Only kube-system/ebs-csi-controller-sa may assume this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.ebs_csi_driver.policy) <= 10240
    error_message = "Inline policies of a role are limited to 10240 characters."
  }
}

run "role_of_external_dns" {
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.external_dns.assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = "sts.amazonaws.com"
          "${var.issuer}:sub" = "system:serviceaccount:external-dns:external-dns"
        }
      }
    }])
    error_message = "Only external-dns/external-dns may assume this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.external_dns.policy) <= 10240
    error_message = "Inline policies of a role are limited to 10240 characters."
  }
}

run "role_of_load_balancer_controller" {
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.load_balancer_controller.assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = "sts.amazonaws.com"
          "${var.issuer}:sub" = "system:serviceaccount:load-balancer-controller:load-balancer-controller"
        }
      }
    }])
    error_message = "Only load-balancer-controller/load-balancer-controller may assume this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.load_balancer_controller.policy) <= 10240
    error_message = "Inline policies of a role are limited to 10240 characters."
  }
}

run "role_of_vpc_cni" {
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.vpc_cni.assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = "sts.amazonaws.com"
          "${var.issuer}:sub" = "system:serviceaccount:kube-system:aws-node"
        }
      }
    }])
    error_message = "Only kube-system/aws-node may assume this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.vpc_cni.policy) <= 10240
    error_message = "Inline policies of a role are limited to 10240 characters."
  }
}

run "secrets" {
  assert {
    condition = alltrue([
      for namespace, policy in aws_iam_role_policy.secrets :
      alltrue([
        for resource in jsondecode(policy.policy).Statement[0].Resource :
        startswith(resource, "arn:aws:ssm:${local.region}:${local.account}:parameter/${local.project}/${local.environment}/")
        && strcontains(resource, namespace == "database" ? "/database/" : "/${local.environment}/${namespace}/")
      ])
    ])
    error_message = "A namespace may read only its own parameters; the namespace of the login Jobs also reads all logins."
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_role_policy.secrets :
      jsondecode(policy.policy).Statement[1].Resource == [aws_kms_key.parameters.arn]
      && jsondecode(policy.policy).Statement[1].Condition.StringEquals["kms:ViaService"] == "ssm.${local.region}.amazonaws.com"
      && length(policy.policy) <= 10240
    ])
    error_message = "The role may decrypt only with the key of the parameters, and only through Parameter Store."
  }

  assert {
    condition = alltrue([
      for namespace, role in aws_iam_role.secrets :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals == {
        "${var.issuer}:aud" = "sts.amazonaws.com"
        "${var.issuer}:sub" = "system:serviceaccount:${namespace}:external-secrets"
      }
    ])
    error_message = "Only External Secrets may assume the reader role, and only for this namespace."
  }
}

run "names" {
  assert {
    condition     = aws_acm_certificate.main.domain_name == local.zone && aws_acm_certificate.main.subject_alternative_names == toset(["*.${local.zone}"])
    error_message = "The certificate must be for the zone and for every host in it."
  }

  assert {
    condition     = aws_route53_record.validation.zone_id == local.zone_id && aws_route53_record.validation.type == "CNAME"
    error_message = "The zone must contain the validation record of ACM."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.external_dns.policy).Statement : statement.Resource
      if contains(statement.Action, "route53:ChangeResourceRecordSets")
    ] == [[local.zone_arn]]
    error_message = "external-dns may change records only in this zone."
  }
}

run "logs_of_load_balancers" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.load_balancer_logs.block_public_acls,
      aws_s3_bucket_public_access_block.load_balancer_logs.block_public_policy,
      aws_s3_bucket_public_access_block.load_balancer_logs.ignore_public_acls,
      aws_s3_bucket_public_access_block.load_balancer_logs.restrict_public_buckets,
    ])
    error_message = "The bucket of access logs must block public access."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.load_balancer_logs.policy).Statement :
      statement.Principal == { Service = "logdelivery.elasticloadbalancing.amazonaws.com" } && endswith(statement.Resource, "/AWSLogs/${local.account}/*")
      if statement.Effect == "Allow"
    ])
    error_message = "Only load balancers of this account may write to the bucket."
  }

  assert {
    condition = one([
      for rule in aws_s3_bucket_server_side_encryption_configuration.load_balancer_logs.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm
    ]) == "AES256"
    error_message = "The bucket must use SSE-S3, the only encryption that Elastic Load Balancing supports."
  }
}

run "boundary" {
  assert {
    condition = alltrue([
      for role in concat([
        aws_iam_role.cluster,
        aws_iam_role.flow_logs,
        aws_iam_role.node,
        aws_iam_role.cloudwatch_exporter,
        aws_iam_role.cluster_autoscaler,
        aws_iam_role.ebs_csi_driver,
        aws_iam_role.external_dns,
        aws_iam_role.load_balancer_controller,
        aws_iam_role.vpc_cni,
      ], values(aws_iam_role.secrets)) : role.permissions_boundary == local.boundary && role.path == local.role_path && startswith(role.name, "${local.name}-")
    ])
    error_message = "Every role must have the permissions boundary, the path and the name prefix that the apply role requires."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.node.policy, "ssm:GetParameter")
    error_message = "Nodes must not be able to read parameters."
  }
}

run "keys" {
  assert {
    condition = alltrue([
      for key in [aws_kms_key.cluster, aws_kms_key.logs, aws_kms_key.parameters, aws_kms_key.volumes] :
      key.enable_key_rotation && key.deletion_window_in_days >= 7
    ])
    error_message = "Keys must rotate and have a deletion window of at least 7 days."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.volumes.policy).Statement :
      can(statement.Condition.StringEquals["kms:CallerAccount"]) && can(statement.Condition.ArnEquals["aws:PrincipalArn"])
      if try(statement.Principal.AWS, "") == "*"
    ])
    error_message = "The service-linked role of Auto Scaling must be matched by a condition, because it does not exist in a new account."
  }
}
