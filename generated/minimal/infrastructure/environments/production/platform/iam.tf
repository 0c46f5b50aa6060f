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
    "cluster-autoscaler"  = { namespace = "cluster-autoscaler", name = "cluster-autoscaler" }
    "ebs-csi-driver"      = { namespace = "kube-system", name = "ebs-csi-controller-sa" }
    "vpc-cni"             = { namespace = "kube-system", name = "aws-node" }
    "secrets-flux-system" = { namespace = "flux-system", name = "external-secrets" }
    "secrets-shop"        = { namespace = "shop", name = "external-secrets" }
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
