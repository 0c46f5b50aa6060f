# The control plane.

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

# The nodes.

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

# Session Manager's way in, and nothing else of it: the managed policy would also let every node read all parameters.
resource "aws_iam_role_policy" "node" {
  # checkov:skip=CKV_AWS_290:Session Manager's channels know no resource to name
  # checkov:skip=CKV_AWS_355:Session Manager's channels know no resource to name

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

# The VPC's flow logs.

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

#%- if environment.pod_identity() %#

# The workloads: one role for each service account that speaks to AWS. EKS takes it in the name of that service account
# of this cluster, and of no other.
#%- else %#

# The workloads: one role for each service account that speaks to AWS, trusted by the cluster's own issuer for that
# service account alone.

locals {
  # Read from the cluster: the issuer's host is AWS's to change.
  issuer = trimprefix(aws_eks_cluster.main.identity[0].oidc[0].issuer, "https://")
}

resource "aws_iam_openid_connect_provider" "cluster" {
  url            = aws_eks_cluster.main.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]

  tags = { Name = local.name }
}
#%- endif %#
#%- for it in identities %#

resource "aws_iam_role" "#{ it.resource() }#" {
  name = "${local.name}-#{ it.role }#"
  description = "Service account #{ it.namespace }#/#{ it.service_account }# of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
#%- if environment.pod_identity() %#
        Effect = "Allow"
        Principal = { Service = "pods.eks.amazonaws.com" }
        Action = ["sts:AssumeRole", "sts:TagSession"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/eks-cluster-arn" = aws_eks_cluster.main.arn
            "aws:RequestTag/kubernetes-namespace" = "#{ it.namespace }#"
            "aws:RequestTag/kubernetes-service-account" = "#{ it.service_account }#"
          }
        }
#%- else %#
        Effect = "Allow"
        Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
        Action = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = "system:serviceaccount:#{ it.namespace }#:#{ it.service_account }#"
          }
        }
#%- endif %#
      },
    ]
  })
}

resource "aws_iam_role_policy" "#{ it.resource() }#" {
  name = "#{ it.role }#"
  role = aws_iam_role.#{ it.resource() }#.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
#%- for statement in it.statements %#
      {
        Sid = "#{ statement.sid }#"
        Effect = "Allow"
        Action = #{ statement.actions()|hcl_list(8) }#
        Resource = #{ statement.resources|code_list(8) }#
#%- if !statement.conditions.is_empty() %#
        Condition = {
#%- for (test, conditions) in statement.tests() %#
          #{ test }# = {
#%- for condition in conditions %#
            #{ condition.key|code }# = #{ condition.value|code }#
#%- endfor %#
          }
#%- endfor %#
        }
#%- endif %#
      },
#%- endfor %#
#%- for permission in it.permissions %#
      {
        Sid = "#{ permission.name.sid() }#"
        Effect = "Allow"
        Action = #{ permission.actions|hcl_list(8) }#
        Resource = #{ permission.resources|hcl_list(8) }#
      },
#%- endfor %#
    ]
  })
}
#%- if environment.pod_identity() && !addon_roles.contains(&it.role) %#

resource "aws_eks_pod_identity_association" "#{ it.resource() }#" {
  cluster_name    = aws_eks_cluster.main.name
  namespace       = "#{ it.namespace }#"
  service_account = "#{ it.service_account }#"
  role_arn        = aws_iam_role.#{ it.resource() }#.arn

  tags = { Name = "${local.name}-#{ it.role }#" }
}
#%- endif %#
#%- endfor %#
