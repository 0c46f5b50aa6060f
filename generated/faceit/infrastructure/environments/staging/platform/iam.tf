# Written by blueprint. Change the blueprint instead.

# Control plane.

resource "aws_iam_role" "cluster" {
  name                 = "${local.name}-cluster"
  description          = "Control plane of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "eks.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role_policy" "cluster" {
  name = "secrets"
  role = aws_iam_role.cluster.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"]
        Resource = [aws_kms_key.cluster.arn]
      },
    ]
  })
}

# Nodes.

resource "aws_iam_role" "node" {
  name                 = "${local.name}-node"
  description          = "Nodes of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ec2.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

# Permissions for Session Manager, which `scripts/tunnel` uses. The managed policy AmazonSSMManagedInstanceCore would also allow every
# node to read all parameters of the account.
resource "aws_iam_role_policy" "node" {
  # checkov:skip=CKV_AWS_290:These Session Manager actions do not support resource-level permissions
  # checkov:skip=CKV_AWS_355:These Session Manager actions do not support resource-level permissions

  name = "session-manager"
  role = aws_iam_role.node.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "ssm:UpdateInstanceInformation",
          "ssmmessages:CreateControlChannel",
          "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ]
        Resource = ["*"]
      },
    ]
  })
}

# Flow logs of the VPC.

resource "aws_iam_role" "flow_logs" {
  name                 = "${local.name}-flow-logs"
  description          = "Flow logs of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "vpc-flow-logs.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = "arn:aws:ec2:${local.region}:${local.account}:vpc-flow-log/*" }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "flow_logs" {
  name = "flow-logs"
  role = aws_iam_role.flow_logs.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.flow_logs.arn}:*"]
      },
      {
        Effect   = "Allow"
        Action   = ["logs:DescribeLogGroups"]
        Resource = ["*"]
      },
    ]
  })
}

# Workloads: one role for each service account that calls AWS.

locals {
  # The service account that may assume each role, by the suffix of the role name.
  service_accounts = {
    "cloudwatch-exporter"      = { namespace = "cloudwatch-exporter", name = "cloudwatch-exporter" }
    "cluster-autoscaler"       = { namespace = "cluster-autoscaler", name = "cluster-autoscaler" }
    "ebs-csi-driver"           = { namespace = "kube-system", name = "ebs-csi-controller-sa" }
    "external-dns"             = { namespace = "external-dns", name = "external-dns" }
    "load-balancer-controller" = { namespace = "load-balancer-controller", name = "load-balancer-controller" }
    "vpc-cni"                  = { namespace = "kube-system", name = "aws-node" }
    "secrets-database"         = { namespace = "database", name = "external-secrets" }
    "secrets-flux-system"      = { namespace = "flux-system", name = "external-secrets" }
    "secrets-monitoring"       = { namespace = "monitoring", name = "external-secrets" }
    "secrets-test-app"         = { namespace = "test-app", name = "external-secrets" }
  }

  # The cluster issues a token for the service account, which STS exchanges for credentials of the role.
  trust_policies = {
    for role, account in local.service_accounts : role => jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Effect    = "Allow"
          Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
          Action    = "sts:AssumeRoleWithWebIdentity"
          Condition = {
            StringEquals = {
              "${local.issuer}:aud" = "sts.amazonaws.com"
              "${local.issuer}:sub" = "system:serviceaccount:${account.namespace}:${account.name}"
            }
          }
        },
      ]
    })
  }

  # The issuer of these tokens. Its host name is read from the cluster, because AWS may change it.
  issuer = trimprefix(aws_eks_cluster.main.identity[0].oidc[0].issuer, "https://")
}

resource "aws_iam_openid_connect_provider" "cluster" {
  url            = aws_eks_cluster.main.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]

  tags = { Name = local.name }
}

resource "aws_iam_role" "cloudwatch_exporter" {
  name                 = "${local.name}-cloudwatch-exporter"
  description          = "Service account cloudwatch-exporter/cloudwatch-exporter of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust_policies["cloudwatch-exporter"]
}

resource "aws_iam_role_policy" "cloudwatch_exporter" {
  name = "cloudwatch-exporter"
  role = aws_iam_role.cloudwatch_exporter.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadMetrics"
        Effect = "Allow"
        Action = [
          "cloudwatch:GetMetricData",
          "cloudwatch:GetMetricStatistics",
          "cloudwatch:ListMetrics",
          "tag:GetResources",
        ]
        Resource = ["*"]
        Condition = {
          StringEquals = {
            "aws:RequestedRegion" = local.region
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "cluster_autoscaler" {
  name                 = "${local.name}-cluster-autoscaler"
  description          = "Service account cluster-autoscaler/cluster-autoscaler of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust_policies["cluster-autoscaler"]
}

resource "aws_iam_role_policy" "cluster_autoscaler" {
  name = "cluster-autoscaler"
  role = aws_iam_role.cluster_autoscaler.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = [
          "autoscaling:DescribeAutoScalingGroups",
          "autoscaling:DescribeAutoScalingInstances",
          "autoscaling:DescribeLaunchConfigurations",
          "autoscaling:DescribeScalingActivities",
          "ec2:DescribeImages",
          "ec2:DescribeInstanceTypes",
          "ec2:DescribeLaunchTemplateVersions",
          "ec2:GetInstanceTypesFromInstanceRequirements",
        ]
        Resource = ["*"]
      },
      {
        Sid      = "ReadNodeGroups"
        Effect   = "Allow"
        Action   = ["eks:DescribeNodegroup"]
        Resource = ["arn:aws:eks:${local.region}:${local.account}:nodegroup/${local.name}/*/*"]
      },
      {
        Sid    = "Scale"
        Effect = "Allow"
        Action = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
        Resource = [
          "arn:aws:autoscaling:${local.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/eks-*",
        ]
        Condition = {
          StringEquals = {
            "aws:ResourceTag/k8s.io/cluster-autoscaler/enabled"       = "true"
            "aws:ResourceTag/k8s.io/cluster-autoscaler/${local.name}" = "owned"
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "ebs_csi_driver" {
  name                 = "${local.name}-ebs-csi-driver"
  description          = "Service account kube-system/ebs-csi-controller-sa of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust_policies["ebs-csi-driver"]
}

resource "aws_iam_role_policy" "ebs_csi_driver" {
  name = "ebs-csi-driver"
  role = aws_iam_role.ebs_csi_driver.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = [
          "ec2:DescribeAvailabilityZones",
          "ec2:DescribeInstanceTypes",
          "ec2:DescribeInstances",
          "ec2:DescribeSnapshots",
          "ec2:DescribeVolumeStatus",
          "ec2:DescribeVolumes",
          "ec2:DescribeVolumesModifications",
        ]
        Resource = ["*"]
      },
      {
        Sid      = "CreateVolumes"
        Effect   = "Allow"
        Action   = ["ec2:CopyVolumes", "ec2:CreateVolume"]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:volume/*"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/ebs.csi.aws.com/cluster" = "true"
          }
        }
      },
      {
        Sid      = "CreateSnapshots"
        Effect   = "Allow"
        Action   = ["ec2:CreateSnapshot"]
        Resource = ["arn:aws:ec2:${local.region}::snapshot/*"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/ebs.csi.aws.com/cluster" = "true"
          }
        }
      },
      {
        Sid    = "ManageVolumes"
        Effect = "Allow"
        Action = [
          "ec2:AttachVolume",
          "ec2:CopyVolumes",
          "ec2:CreateSnapshot",
          "ec2:DeleteVolume",
          "ec2:DetachVolume",
          "ec2:ModifyVolume",
        ]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:volume/*"]
        Condition = {
          StringEquals = {
            "ec2:ResourceTag/ebs.csi.aws.com/cluster" = "true"
          }
        }
      },
      {
        Sid    = "ManageSnapshots"
        Effect = "Allow"
        Action = [
          "ec2:CreateVolume",
          "ec2:DeleteSnapshot",
          "ec2:EnableFastSnapshotRestores",
          "ec2:LockSnapshot",
        ]
        Resource = ["arn:aws:ec2:${local.region}::snapshot/*"]
        Condition = {
          StringEquals = {
            "ec2:ResourceTag/ebs.csi.aws.com/cluster" = "true"
          }
        }
      },
      {
        Sid      = "AttachToNodes"
        Effect   = "Allow"
        Action   = ["ec2:AttachVolume", "ec2:DetachVolume"]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:instance/*"]
        Condition = {
          StringEquals = {
            "ec2:ResourceTag/eks:cluster-name" = local.name
          }
        }
      },
      {
        Sid    = "TagOnCreation"
        Effect = "Allow"
        Action = ["ec2:CreateTags"]
        Resource = [
          "arn:aws:ec2:${local.region}:${local.account}:volume/*",
          "arn:aws:ec2:${local.region}::snapshot/*",
        ]
        Condition = {
          StringEquals = {
            "ec2:CreateAction" = ["CopyVolumes", "CreateSnapshot", "CreateVolume"]
          }
        }
      },
      {
        Sid      = "Encrypt"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource = [aws_kms_key.volumes.arn]
      },
      {
        Sid      = "GrantToVolumes"
        Effect   = "Allow"
        Action   = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
        Resource = [aws_kms_key.volumes.arn]
        Condition = {
          Bool = {
            "kms:GrantIsForAWSResource" = "true"
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "external_dns" {
  name                 = "${local.name}-external-dns"
  description          = "Service account external-dns/external-dns of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust_policies["external-dns"]
}

resource "aws_iam_role_policy" "external_dns" {
  name = "external-dns"
  role = aws_iam_role.external_dns.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ListZones"
        Effect   = "Allow"
        Action   = ["route53:ListHostedZones"]
        Resource = ["*"]
      },
      {
        Sid      = "ReadZones"
        Effect   = "Allow"
        Action   = ["route53:ListResourceRecordSets"]
        Resource = ["arn:aws:route53:::hostedzone/*"]
      },
      {
        Sid      = "WriteZone"
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets"]
        Resource = [local.zone_arn]
      },
    ]
  })
}

resource "aws_iam_role" "load_balancer_controller" {
  name                 = "${local.name}-load-balancer-controller"
  description          = "Service account load-balancer-controller/load-balancer-controller of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust_policies["load-balancer-controller"]
}

resource "aws_iam_role_policy" "load_balancer_controller" {
  name = "load-balancer-controller"
  role = aws_iam_role.load_balancer_controller.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ServiceLinkedRole"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole"]
        Resource = ["arn:aws:iam::${local.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"]
        Condition = {
          StringEquals = {
            "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com"
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = [
          "ec2:DescribeAccountAttributes",
          "ec2:DescribeAddresses",
          "ec2:DescribeAvailabilityZones",
          "ec2:DescribeCoipPools",
          "ec2:DescribeInstances",
          "ec2:DescribeInternetGateways",
          "ec2:DescribeIpamPools",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeRouteTables",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeTags",
          "ec2:DescribeVpcPeeringConnections",
          "ec2:DescribeVpcs",
          "ec2:GetCoipPoolUsage",
          "ec2:GetSecurityGroupsForVpc",
          "elasticloadbalancing:DescribeCapacityReservation",
          "elasticloadbalancing:DescribeListenerAttributes",
          "elasticloadbalancing:DescribeListenerCertificates",
          "elasticloadbalancing:DescribeListeners",
          "elasticloadbalancing:DescribeLoadBalancerAttributes",
          "elasticloadbalancing:DescribeLoadBalancers",
          "elasticloadbalancing:DescribeRules",
          "elasticloadbalancing:DescribeSSLPolicies",
          "elasticloadbalancing:DescribeTags",
          "elasticloadbalancing:DescribeTargetGroupAttributes",
          "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
          "elasticloadbalancing:DescribeTrustStores",
        ]
        Resource = ["*"]
      },
      {
        Sid    = "CertificatesAndShields"
        Effect = "Allow"
        Action = [
          "acm:DescribeCertificate",
          "acm:ListCertificates",
          "cognito-idp:DescribeUserPoolClient",
          "elasticloadbalancing:SetWebAcl",
          "iam:GetServerCertificate",
          "iam:ListServerCertificates",
          "shield:CreateProtection",
          "shield:DeleteProtection",
          "shield:DescribeProtection",
          "shield:GetSubscriptionState",
          "waf-regional:AssociateWebACL",
          "waf-regional:DisassociateWebACL",
          "waf-regional:GetWebACL",
          "waf-regional:GetWebACLForResource",
          "wafv2:AssociateWebACL",
          "wafv2:DisassociateWebACL",
          "wafv2:GetWebACL",
          "wafv2:GetWebACLForResource",
        ]
        Resource = ["*"]
      },
      {
        Sid      = "RulesInThisNetwork"
        Effect   = "Allow"
        Action   = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
        Condition = {
          ArnEquals = {
            "ec2:Vpc" = aws_vpc.main.arn
          }
        }
      },
      {
        Sid      = "CreateSecurityGroups"
        Effect   = "Allow"
        Action   = ["ec2:CreateSecurityGroup"]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid      = "CreateSecurityGroupsHere"
        Effect   = "Allow"
        Action   = ["ec2:CreateSecurityGroup"]
        Resource = [aws_vpc.main.arn]
      },
      {
        Sid      = "TagNewSecurityGroups"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
        Condition = {
          StringEquals = {
            "ec2:CreateAction"                     = "CreateSecurityGroup"
            "aws:RequestTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid      = "TagSecurityGroups"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags", "ec2:DeleteTags"]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
        Condition = {
          Null = {
            "aws:RequestTag/elbv2.k8s.aws/cluster" = "true"
          }
          StringEquals = {
            "aws:ResourceTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid    = "ChangeSecurityGroups"
        Effect = "Allow"
        Action = [
          "ec2:AuthorizeSecurityGroupIngress",
          "ec2:DeleteSecurityGroup",
          "ec2:RevokeSecurityGroupIngress",
        ]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
        Condition = {
          StringEquals = {
            "aws:ResourceTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid    = "Create"
        Effect = "Allow"
        Action = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
        Resource = [
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*",
        ]
        Condition = {
          StringEquals = {
            "aws:RequestTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid    = "ListenersAndRules"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:CreateListener",
          "elasticloadbalancing:CreateRule",
          "elasticloadbalancing:DeleteListener",
          "elasticloadbalancing:DeleteRule",
        ]
        Resource = [
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/app/*/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/net/*/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
        ]
      },
      {
        Sid    = "Tag"
        Effect = "Allow"
        Action = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
        Resource = [
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*",
        ]
        Condition = {
          Null = {
            "aws:RequestTag/elbv2.k8s.aws/cluster" = "true"
          }
          StringEquals = {
            "aws:ResourceTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid    = "TagListenersAndRules"
        Effect = "Allow"
        Action = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
        Resource = [
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/app/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/net/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
        ]
      },
      {
        Sid    = "TagNew"
        Effect = "Allow"
        Action = ["elasticloadbalancing:AddTags"]
        Resource = [
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*",
        ]
        Condition = {
          StringEquals = {
            "elasticloadbalancing:CreateAction"    = ["CreateLoadBalancer", "CreateTargetGroup"]
            "aws:RequestTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid    = "Change"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:DeleteLoadBalancer",
          "elasticloadbalancing:DeleteTargetGroup",
          "elasticloadbalancing:ModifyCapacityReservation",
          "elasticloadbalancing:ModifyIpPools",
          "elasticloadbalancing:ModifyListenerAttributes",
          "elasticloadbalancing:ModifyLoadBalancerAttributes",
          "elasticloadbalancing:ModifyTargetGroup",
          "elasticloadbalancing:ModifyTargetGroupAttributes",
          "elasticloadbalancing:SetIpAddressType",
          "elasticloadbalancing:SetSecurityGroups",
          "elasticloadbalancing:SetSubnets",
        ]
        Resource = [
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/app/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:loadbalancer/net/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*",
        ]
        Condition = {
          StringEquals = {
            "aws:ResourceTag/elbv2.k8s.aws/cluster" = local.name
          }
        }
      },
      {
        Sid      = "Targets"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
        Resource = ["arn:aws:elasticloadbalancing:${local.region}:${local.account}:targetgroup/*/*"]
      },
      {
        Sid    = "ChangeListenersAndRules"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:AddListenerCertificates",
          "elasticloadbalancing:ModifyListener",
          "elasticloadbalancing:ModifyRule",
          "elasticloadbalancing:RemoveListenerCertificates",
          "elasticloadbalancing:SetRulePriorities",
        ]
        Resource = [
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/app/*/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener-rule/net/*/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/app/*/*/*",
          "arn:aws:elasticloadbalancing:${local.region}:${local.account}:listener/net/*/*/*",
        ]
      },
    ]
  })
}

resource "aws_iam_role" "vpc_cni" {
  name                 = "${local.name}-vpc-cni"
  description          = "Service account kube-system/aws-node of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust_policies["vpc-cni"]
}

resource "aws_iam_role_policy" "vpc_cni" {
  name = "vpc-cni"
  role = aws_iam_role.vpc_cni.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = [
          "ec2:DescribeInstanceTypes",
          "ec2:DescribeInstances",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeTags",
        ]
        Resource = ["*"]
      },
      {
        Sid    = "NetworkInterfaces"
        Effect = "Allow"
        Action = [
          "ec2:AssignPrivateIpAddresses",
          "ec2:AttachNetworkInterface",
          "ec2:CreateNetworkInterface",
          "ec2:CreateTags",
          "ec2:DeleteNetworkInterface",
          "ec2:DetachNetworkInterface",
          "ec2:ModifyNetworkInterfaceAttribute",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:network-interface/*"]
      },
      {
        Sid    = "InThisNetwork"
        Effect = "Allow"
        Action = ["ec2:CreateNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"]
        Resource = [
          "arn:aws:ec2:${local.region}:${local.account}:security-group/*",
          "arn:aws:ec2:${local.region}:${local.account}:subnet/*",
        ]
        Condition = {
          ArnEquals = {
            "ec2:Vpc" = aws_vpc.main.arn
          }
        }
      },
      {
        Sid    = "OnNodes"
        Effect = "Allow"
        Action = [
          "ec2:AttachNetworkInterface",
          "ec2:DetachNetworkInterface",
          "ec2:ModifyNetworkInterfaceAttribute",
        ]
        Resource = ["arn:aws:ec2:${local.region}:${local.account}:instance/*"]
        Condition = {
          StringEquals = {
            "aws:ResourceTag/kubernetes.io/cluster/${local.name}" = "owned"
          }
        }
      },
    ]
  })
}
