# Written by blueprint. Change the blueprint instead.

# For each namespace with a SecretStore, the role with which External Secrets reads the parameters of that namespace only.

locals {
  # For each namespace, the folders below `local.parameters` that its role may read.
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
  assume_role_policy   = local.trust_policies["secrets-${each.key}"]
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
