# Parameters that workloads read. The paths are `/PROJECT/ENVIRONMENT/NAMESPACE/…`; a namespace can read only its own parameters.
locals {
  parameters = "/${local.project}/${local.environment}"
#%- if !folders.is_empty() %#

  # The folders that Terraform writes. Secrets that people put are in other folders, which no pipeline role can decrypt.
  written_parameters = [
#%- for folder in folders %#
    "arn:aws:ssm:${local.region}:${local.account}:parameter${local.parameters}/#{ folder.clone()|line }#/*",
#%- endfor %#
  ]
#%- endif %#
}

resource "aws_kms_key" "parameters" {
  description             = "Secrets of ${local.name} in Parameter Store"
  enable_key_rotation     = true
  deletion_window_in_days = 30

#%- if !folders.is_empty() %#

  # A plan decrypts every parameter in the state, so both pipeline roles need this permission. Parameter Store passes the name of the
  # parameter in the encryption context, which limits the roles to these folders.
#%- endif %#
  policy = jsonencode({
    Version = "2012-10-17"
#%- if folders.is_empty() %#
    Statement = local.key_administration
#%- else %#
    Statement = concat(local.key_administration, [
      {
        Sid    = "Look"
        Effect = "Allow"
        Principal = {
          AWS = [local.apply_role, "arn:aws:iam::${local.account}:role/${local.name}-plan"]
        }
        Action   = "kms:Decrypt"
        Resource = "*"
        Condition = {
          StringEquals = { "kms:ViaService" = "ssm.${local.region}.amazonaws.com" }
          StringLike   = { "kms:EncryptionContext:PARAMETER_ARN" = local.written_parameters }
        }
      },
      {
        Sid       = "Write"
        Effect    = "Allow"
        Principal = { AWS = local.apply_role }
        Action    = "kms:Encrypt"
        Resource  = "*"
        Condition = {
          StringEquals = { "kms:ViaService" = "ssm.${local.region}.amazonaws.com" }
          StringLike   = { "kms:EncryptionContext:PARAMETER_ARN" = local.written_parameters }
        }
      },
    ])
#%- endif %#
  })
}

resource "aws_kms_alias" "parameters" {
  name          = "alias/${local.name}-parameters"
  target_key_id = aws_kms_key.parameters.key_id
}
#%- if let Some(database) = environment.database %#

# Connection data of the database. The values follow the instance, including after a restore.

locals {
  # The name of each database, by the folder of its parameters: the one of the master login, and one per application.
  databases = {
    "database/master" = "#{ database.master() }#"
#%- for share in shares %#
    "#{ share.application }#/database" = "#{ share.name }#"
#%- endfor %#
  }

  # The user name of each login: per application the current and the previous one, which are both valid during a rotation.
  logins = {
#%- for share in shares %#
#%- for login in share.logins() %#
    "#{ share.application }#/database/#{ login }#" = "#{ share.user(login) }#"
#%- endfor %#
#%- endfor %#
  }
}

resource "aws_ssm_parameter" "database_endpoint" {
  # checkov:skip=CKV2_AWS_34:The address is not a secret
  for_each = local.databases

  name  = "${local.parameters}/${each.key}/endpoint"
  type  = "String"
  value = aws_db_instance.main.address
}

resource "aws_ssm_parameter" "database_port" {
  # checkov:skip=CKV2_AWS_34:The port is not a secret
  for_each = local.databases

  name  = "${local.parameters}/${each.key}/port"
  type  = "String"
  value = tostring(aws_db_instance.main.port)
}

resource "aws_ssm_parameter" "database_name" {
  # checkov:skip=CKV2_AWS_34:The name of the database is not a secret
  for_each = local.databases

  name  = "${local.parameters}/${each.key}/name"
  type  = "String"
  value = each.value
}

# Secrets, written once. The key or the tier can be changed only together with the value, which Terraform does not know, so such changes
# are ignored for existing parameters.

resource "aws_ssm_parameter" "master_username" {
  # checkov:skip=CKV2_AWS_34:The name of the master login is not a secret
  name  = "${local.parameters}/database/master/username"
  type  = "String"
  value = aws_db_instance.main.username
}

# Written after the instance has the password. A new password gets a new parameter. If an apply fails between the two steps, raise
# `master-password-version` once more.
resource "aws_ssm_parameter" "master_password" {
  for_each = local.master_passwords

  name             = "${local.parameters}/database/master/${each.key}/password"
  type             = "SecureString"
  tier             = "Standard"
  key_id           = aws_kms_key.parameters.arn
  value_wo         = ephemeral.random_password.master[each.key].result
  value_wo_version = 1

  lifecycle {
    ignore_changes = [key_id, tier]
  }

  depends_on = [aws_db_instance.main]
}

ephemeral "random_password" "login" {
  for_each = local.logins

  length  = 40
  special = false
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

# A new password is a new login with the next number.
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
#%- endif %#
