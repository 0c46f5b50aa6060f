# Written by blueprint. Change the blueprint instead.

# Parameters that workloads read. The paths are `/PROJECT/ENVIRONMENT/NAMESPACE/…`; a namespace can read only its own parameters.
locals {
  parameters = "/${local.project}/${local.environment}"
}

resource "aws_kms_key" "parameters" {
  description             = "Secrets of ${local.name} in Parameter Store"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.key_administration
  })
}

resource "aws_kms_alias" "parameters" {
  name          = "alias/${local.name}-parameters"
  target_key_id = aws_kms_key.parameters.key_id
}
