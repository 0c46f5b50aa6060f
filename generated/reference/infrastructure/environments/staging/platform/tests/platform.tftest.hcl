# Written by blueprint. Change the blueprint instead.

# Runs without an account: the provider is a mock and keeps its state in memory. The mocks below give the values that the
# configuration parses, and those whose format the provider checks.
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
      arn      = "arn:aws:eks:eu-west-1:444455556666:cluster/bookshop-staging"
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
  values = { arn = "arn:aws:iam::444455556666:role/bookshop-staging-cloudwatch-exporter" }
}

override_resource {
  target = aws_iam_role.cluster_autoscaler
  values = { arn = "arn:aws:iam::444455556666:role/bookshop-staging-cluster-autoscaler" }
}

override_resource {
  target = aws_iam_role.ebs_csi_driver
  values = { arn = "arn:aws:iam::444455556666:role/bookshop-staging-ebs-csi-driver" }
}

override_resource {
  target = aws_iam_role.external_dns
  values = { arn = "arn:aws:iam::444455556666:role/bookshop-staging-external-dns" }
}

override_resource {
  target = aws_iam_role.load_balancer_controller
  values = { arn = "arn:aws:iam::444455556666:role/bookshop-staging-load-balancer-controller" }
}

override_resource {
  target = aws_iam_role.vpc_cni
  values = { arn = "arn:aws:iam::444455556666:role/bookshop-staging-vpc-cni" }
}

override_resource {
  target = aws_iam_role.app_shop
  values = { arn = "arn:aws:iam::444455556666:role/bookshop-staging-app-shop" }
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
    error_message = "Every subnet lies inside the VPC's range."
  }

  assert {
    condition     = alltrue([for range in flatten([for zone in local.zones : values(zone)]) : cidrhost(range, 0) == split("/", range)[0]])
    error_message = "Every subnet starts where its mask says."
  }

  assert {
    condition = alltrue(flatten([
      for one in flatten([for zone in local.zones : values(zone)]) : [
        for other in flatten([for zone in local.zones : values(zone)]) :
        cidrhost("${split("/", other)[0]}/${split("/", one)[1]}", 0) != cidrhost(one, 0)
        if one != other && tonumber(split("/", one)[1]) <= tonumber(split("/", other)[1])
      ]
    ])) && length(distinct(flatten([for zone in local.zones : values(zone)]))) == length(flatten([for zone in local.zones : values(zone)]))
    error_message = "No two subnets overlap."
  }

  assert {
    condition     = cidrhost("${split("/", local.service_range)[0]}/${split("/", local.vpc_range)[1]}", 0) != cidrhost(local.vpc_range, 0)
    error_message = "The range of the Services does not overlap the VPC."
  }

  assert {
    condition     = length(local.zones) >= 2 && alltrue([for zone, subnet in aws_subnet.private : subnet.availability_zone_id == zone])
    error_message = "The nodes have subnets in at least two zones, each in its own."
  }

  assert {
    condition = alltrue(concat(
      [for subnet in aws_subnet.private : subnet.tags["kubernetes.io/role/internal-elb"] == "1"],
      [for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1"],
    ))
    error_message = "The load balancer controller finds its subnets by their tags."
  }
}

run "nothing_is_open" {
  assert {
    condition     = length(aws_default_security_group.main.ingress) == 0 && length(aws_default_security_group.main.egress) == 0
    error_message = "The default security group has no rules."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "Nothing gets a public address by being started in a public subnet."
  }

  assert {
    condition     = toset(keys(aws_nat_gateway.main)) == toset([local.gateway])
    error_message = "One NAT gateway serves all zones."
  }

  assert {
    condition     = aws_vpc.main.enable_dns_support && aws_vpc.main.enable_dns_hostnames
    error_message = "The cluster's private endpoint needs the VPC's names."
  }

  assert {
    condition     = aws_flow_log.main.traffic_type == "ALL" && aws_cloudwatch_log_group.flow_logs.retention_in_days >= 365
    error_message = "All traffic is recorded, for a year."
  }
}

run "endpoints" {
  assert {
    condition = alltrue([
      aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == local.vpc_range,
      aws_vpc_security_group_ingress_rule.endpoints.from_port == 443,
      aws_vpc_security_group_ingress_rule.endpoints.to_port == 443,
    ])
    error_message = "Endpoints answer inside the network only."
  }

  assert {
    condition = alltrue([
      for endpoint in aws_vpc_endpoint.interface :
      endpoint.private_dns_enabled && toset(endpoint.subnet_ids) == toset([for subnet in aws_subnet.private : subnet.id])
    ])
    error_message = "They go by the usual names, and stand in every zone."
  }
}

run "control_plane" {
  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_private_access && !aws_eks_cluster.main.vpc_config[0].endpoint_public_access
    error_message = "The Kubernetes API is reachable inside the VPC only."
  }

  assert {
    condition = alltrue(flatten([
      for rule in aws_security_group.api.ingress : [rule.from_port == 443, rule.to_port == 443, rule.cidr_blocks == tolist([local.vpc_range])]
    ]))
    error_message = "Machines of the network reach the Kubernetes API, and only there."
  }

  assert {
    condition     = toset(aws_eks_cluster.main.vpc_config[0].subnet_ids) == toset([for subnet in aws_subnet.private : subnet.id])
    error_message = "The cluster stands in the private subnets."
  }

  assert {
    condition     = length(aws_eks_cluster.main.enabled_cluster_log_types) == 5
    error_message = "All five logs of the control plane are kept."
  }

  assert {
    condition     = aws_cloudwatch_log_group.cluster.name == "/aws/eks/${aws_eks_cluster.main.name}/cluster"
    error_message = "The log group is the one that EKS writes to."
  }

  assert {
    condition     = aws_eks_cluster.main.deletion_protection && aws_eks_cluster.main.upgrade_policy[0].support_type == "STANDARD"
    error_message = "The cluster is protected from deletion and never slides into extended support."
  }

  assert {
    condition     = aws_eks_cluster.main.encryption_config[0].provider[0].key_arn == aws_kms_key.cluster.arn
    error_message = "Secrets are encrypted with the cluster's own key."
  }

  assert {
    condition = alltrue([
      aws_eks_cluster.main.access_config[0].authentication_mode == "API",
      !aws_eks_cluster.main.access_config[0].bootstrap_cluster_creator_admin_permissions,
      contains(keys(aws_eks_access_entry.administrator), "arn:aws:iam::${local.account}:role/${local.name}-apply"),
    ])
    error_message = "Whoever administers the cluster has an access entry, the apply role among them."
  }
}

run "nodes" {
  assert {
    condition = alltrue([
      for template in aws_launch_template.node :
      template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1
    ])
    error_message = "Instance metadata is out of the pods' reach."
  }

  assert {
    condition = alltrue([
      for template in aws_launch_template.node :
      alltrue([for disk in template.block_device_mappings : disk.ebs[0].encrypted == "true" && disk.ebs[0].kms_key_id == aws_kms_key.volumes.arn])
    ])
    error_message = "Node disks are encrypted with the platform's key."
  }

  assert {
    condition = alltrue(flatten([
      for template in aws_launch_template.node : [
        for specification in template.tag_specifications :
        [for key, value in local.tags : specification.tags[key] == value]
      ]
    ]))
    error_message = "What Auto Scaling starts bears the platform's tags."
  }

  assert {
    condition = alltrue([
      for group in aws_eks_node_group.main :
      toset(group.subnet_ids) == toset([for subnet in aws_subnet.private : subnet.id]) && length(group.remote_access) == 0
    ])
    error_message = "Nodes stand in the private subnets and take no SSH key."
  }

  assert {
    condition     = alltrue([for group in aws_eks_node_group.main : group.version == aws_eks_cluster.main.version && can(regex("^[0-9.]+-[0-9a-f]{8}$", group.release_version))])
    error_message = "Nodes run the cluster's version, out of a pinned image."
  }

  assert {
    condition = alltrue([
      for name, group in local.node_groups : length([
        for id, tag in aws_autoscaling_group_tag.autoscaler : id
        if local.autoscaler_tags[id].group == name
        && contains(["k8s.io/cluster-autoscaler/enabled", "k8s.io/cluster-autoscaler/${aws_eks_cluster.main.name}"], tag.tag[0].key)
      ]) == (group.min_size < group.max_size ? 2 : 0)
    ])
    error_message = "The autoscaler finds every node group with room by its two tags."
  }
}

run "addons" {
  assert {
    condition = alltrue([
      for addon in merge(aws_eks_addon.before_nodes, aws_eks_addon.after_nodes) :
      can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", addon.addon_version))
    ])
    error_message = "Every add-on has an exact version."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The CNI enforces NetworkPolicies."
  }

  assert {
    condition = alltrue([
      aws_eks_addon.before_nodes["vpc-cni"].service_account_role_arn == aws_iam_role.vpc_cni.arn,
      aws_eks_addon.after_nodes["aws-ebs-csi-driver"].service_account_role_arn == aws_iam_role.ebs_csi_driver.arn,
    ])
    error_message = "Add-ons that speak to AWS have a role of their own."
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
    error_message = "Only cloudwatch-exporter/cloudwatch-exporter takes this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.cloudwatch_exporter.policy) <= 10240
    error_message = "IAM takes 10240 characters for the policies that stand in a role."
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
    error_message = "Only cluster-autoscaler/cluster-autoscaler takes this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.cluster_autoscaler.policy) <= 10240
    error_message = "IAM takes 10240 characters for the policies that stand in a role."
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
    error_message = "Only kube-system/ebs-csi-controller-sa takes this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.ebs_csi_driver.policy) <= 10240
    error_message = "IAM takes 10240 characters for the policies that stand in a role."
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
    error_message = "Only external-dns/external-dns takes this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.external_dns.policy) <= 10240
    error_message = "IAM takes 10240 characters for the policies that stand in a role."
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
    error_message = "Only load-balancer-controller/load-balancer-controller takes this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.load_balancer_controller.policy) <= 10240
    error_message = "IAM takes 10240 characters for the policies that stand in a role."
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
    error_message = "Only kube-system/aws-node takes this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.vpc_cni.policy) <= 10240
    error_message = "IAM takes 10240 characters for the policies that stand in a role."
  }
}

run "role_of_app_shop" {
  assert {
    condition = jsonencode(jsondecode(aws_iam_role.app_shop.assume_role_policy).Statement) == jsonencode([{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.issuer}:aud" = "sts.amazonaws.com"
          "${var.issuer}:sub" = "system:serviceaccount:shop:shop"
        }
      }
    }])
    error_message = "Only shop/shop takes this role."
  }

  assert {
    condition     = length(aws_iam_role_policy.app_shop.policy) <= 10240
    error_message = "IAM takes 10240 characters for the policies that stand in a role."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.app_shop.policy).Statement[*].Sid == [
      "Images",
    ]
    error_message = "It may what the blueprint says, and nothing else."
  }

  assert {
    condition     = !contains(flatten(jsondecode(aws_iam_role_policy.app_shop.policy).Statement[*].Resource), "*")
    error_message = "It reaches nothing that nobody named."
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
    error_message = "A namespace reads its own parameters; the one that makes the logins reads those as well."
  }

  assert {
    condition = alltrue([
      for policy in aws_iam_role_policy.secrets :
      jsondecode(policy.policy).Statement[1].Resource == [aws_kms_key.parameters.arn]
      && jsondecode(policy.policy).Statement[1].Condition.StringEquals["kms:ViaService"] == "ssm.${local.region}.amazonaws.com"
      && length(policy.policy) <= 10240
    ])
    error_message = "It decrypts with the key of the parameters, through Parameter Store."
  }

  assert {
    condition = alltrue([
      for namespace, role in aws_iam_role.secrets :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals == {
        "${var.issuer}:aud" = "sts.amazonaws.com"
        "${var.issuer}:sub" = "system:serviceaccount:${namespace}:external-secrets"
      }
    ])
    error_message = "Only External Secrets takes a reader's role, and for that namespace."
  }
}

run "names" {
  assert {
    condition     = aws_acm_certificate.main.domain_name == local.zone && aws_acm_certificate.main.subject_alternative_names == toset(["*.${local.zone}"])
    error_message = "The certificate is for the zone and for each host in it."
  }

  assert {
    condition     = aws_route53_record.validation.zone_id == local.zone_id && aws_route53_record.validation.type == "CNAME"
    error_message = "The zone proves to ACM whose the name is."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.external_dns.policy).Statement : statement.Resource
      if contains(statement.Action, "route53:ChangeResourceRecordSets")
    ] == [[local.zone_arn]]
    error_message = "external-dns may write records into this zone only."
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
    error_message = "Nobody outside reads who visits whom."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.load_balancer_logs.policy).Statement :
      statement.Principal == { Service = "logdelivery.elasticloadbalancing.amazonaws.com" } && endswith(statement.Resource, "/AWSLogs/${local.account}/*")
      if statement.Effect == "Allow"
    ])
    error_message = "Only load balancers of this account write."
  }

  assert {
    condition = one([
      for rule in aws_s3_bucket_server_side_encryption_configuration.load_balancer_logs.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm
    ]) == "AES256"
    error_message = "Elastic Load Balancing writes with the keys of S3 only."
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
        aws_iam_role.app_shop,
      ], values(aws_iam_role.secrets)) : role.permissions_boundary == local.boundary && role.path == local.role_path && startswith(role.name, "${local.name}-")
    ])
    error_message = "Every role carries the boundary, the path and the prefix, without which the apply role may not make it."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.node.policy, "ssm:GetParameter")
    error_message = "A node reads no parameters."
  }
}

run "keys" {
  assert {
    condition = alltrue([
      for key in [aws_kms_key.cluster, aws_kms_key.logs, aws_kms_key.parameters, aws_kms_key.volumes] :
      key.enable_key_rotation && key.deletion_window_in_days >= 7
    ])
    error_message = "Keys rotate, and are not deleted at once."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.volumes.policy).Statement :
      can(statement.Condition.StringEquals["kms:CallerAccount"]) && can(statement.Condition.ArnEquals["aws:PrincipalArn"])
      if try(statement.Principal.AWS, "") == "*"
    ])
    error_message = "The autoscaling role is named by a condition, for in a new account it does not exist yet."
  }
}
