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
#%- for it in identities %#
    "#{ it.role }#" = { namespace = "#{ it.namespace }#", name = "#{ it.service_account }#" }
#%- endfor %#
#%- if !environment.pod_identity() %#
#%- for reader in readers %#
    "secrets-#{ reader.namespace }#" = { namespace = "#{ reader.namespace }#", name = "external-secrets" }
#%- endfor %#
#%- endif %#
  }

#%- if environment.pod_identity() %#

  # EKS Pod Identity assumes the role for a pod; session tags contain the cluster and the service account of the pod.
  trust_policies = {
    for role, account in local.service_accounts : role => jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Effect    = "Allow"
          Principal = { Service = "pods.eks.amazonaws.com" }
          Action    = ["sts:AssumeRole", "sts:TagSession"]
          Condition = {
            StringEquals = {
              "aws:RequestTag/eks-cluster-arn"            = aws_eks_cluster.main.arn
              "aws:RequestTag/kubernetes-namespace"       = account.namespace
              "aws:RequestTag/kubernetes-service-account" = account.name
            }
          }
        },
      ]
    })
  }
}
#%- else %#

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
#%- endif %#
#%- for it in identities %#

resource "aws_iam_role" "#{ it.resource() }#" {
  name                 = "${local.name}-#{ it.role }#"
  description          = "Service account #{ it.namespace }#/#{ it.service_account }# of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary
  assume_role_policy   = local.trust_policies["#{ it.role }#"]
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
  namespace       = local.service_accounts["#{ it.role }#"].namespace
  service_account = local.service_accounts["#{ it.role }#"].name
  role_arn        = aws_iam_role.#{ it.resource() }#.arn

  tags = { Name = "${local.name}-#{ it.role }#" }
}
#%- endif %#
#%- endfor %#
