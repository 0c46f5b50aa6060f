# Written by blueprint. Change the blueprint instead.

# Who reads secrets: a role for each namespace with a secret store, limited to that namespace's parameters.

locals {
  # The folders below local.parameters that each namespace reads.
  secret_readers = {
    "database"    = ["database", "shop/database"]
    "flux-system" = ["flux-system"]
    "monitoring"  = ["monitoring"]
    "shop"        = ["shop"]
  }
}

resource "aws_iam_role" "secrets" {
  for_each = local.secret_readers

  name                 = "${local.name}-secrets-${each.key}"
  description          = "Secrets of namespace ${each.key} of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary

  # External Secrets asks in the name of this service account of the namespace.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = "system:serviceaccount:${each.key}:external-secrets"
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "secrets" {
  for_each = local.secret_readers

  name = "secrets"
  role = aws_iam_role.secrets[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
        Resource = [
          for folder in each.value : "arn:aws:ssm:${local.region}:${local.account}:parameter${local.parameters}/${folder}/*"
        ]
      },
      {
        Sid       = "Decrypt"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [aws_kms_key.parameters.arn]
        Condition = { StringEquals = { "kms:ViaService" = "ssm.${local.region}.amazonaws.com" } }
      },
    ]
  })
}
