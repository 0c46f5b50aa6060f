# What the checks accept of parameters, until the platform has some.

locals {
  databases = {
    "database/master"   = "master"
    "test-app/database" = "test_app"
  }

  logins = {
    "test-app/database/1" = "test_app_1"
  }

  written_parameters = [
    "arn:aws:ssm:${local.region}:${local.account}:parameter${local.parameters}/database/master/*",
    "arn:aws:ssm:${local.region}:${local.account}:parameter${local.parameters}/test-app/database/*",
  ]
}

resource "aws_kms_key" "parameters" {
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Statement = [
      {
        Sid    = "Look"
        Effect = "Allow"
        Principal = {
          AWS = ["arn:aws:iam::${local.account}:role/${local.name}-apply", "arn:aws:iam::${local.account}:role/${local.name}-plan"]
        }
        Action   = "kms:Decrypt"
        Resource = "*"
        Condition = {
          StringEquals = { "kms:ViaService" = "ssm.${local.region}.amazonaws.com" }
          StringLike   = { "kms:EncryptionContext:PARAMETER_ARN" = local.written_parameters }
        }
      },
    ]
  })
}

resource "aws_ssm_parameter" "database_endpoint" {
  for_each = local.databases

  name  = "${local.parameters}/${each.key}/endpoint"
  type  = "String"
  value = aws_db_instance.main.address
}

resource "aws_ssm_parameter" "database_port" {
  for_each = local.databases

  name  = "${local.parameters}/${each.key}/port"
  type  = "String"
  value = tostring(aws_db_instance.main.port)
}

resource "aws_ssm_parameter" "database_name" {
  for_each = local.databases

  name  = "${local.parameters}/${each.key}/name"
  type  = "String"
  value = each.value
}

resource "aws_ssm_parameter" "master_password" {
  name             = "${local.parameters}/database/master/password"
  type             = "SecureString"
  tier             = "Standard"
  key_id           = aws_kms_key.parameters.arn
  value_wo         = ephemeral.random_password.master.result
  value_wo_version = aws_db_instance.main.password_wo_version

  lifecycle {
    ignore_changes = [key_id, tier]
  }
}

ephemeral "random_password" "login" {
  for_each = local.logins

  length = 40
}

resource "aws_ssm_parameter" "login_username" {
  for_each = local.logins

  name             = "${local.parameters}/${each.key}/username"
  type             = "SecureString"
  tier             = "Standard"
  key_id           = aws_kms_key.parameters.arn
  value_wo         = each.value
  value_wo_version = 1

  lifecycle {
    ignore_changes = [key_id, tier]
  }
}

resource "aws_ssm_parameter" "login_password" {
  for_each = local.logins

  name             = "${local.parameters}/${each.key}/password"
  type             = "SecureString"
  tier             = "Standard"
  key_id           = aws_kms_key.parameters.arn
  value_wo         = ephemeral.random_password.login[each.key].result
  value_wo_version = 1

  lifecycle {
    ignore_changes = [key_id, tier]
  }
}
