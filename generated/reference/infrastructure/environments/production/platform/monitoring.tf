# Written by blueprint. Change the blueprint instead.

# Grafana's administrator. The password is made up here, goes into Parameter Store, and stands in no plan and no state. AWS
# takes no other attribute of such a parameter without its value, so none changes before its version rises.

ephemeral "random_password" "grafana" {
  length  = 40
  special = false
}

resource "aws_ssm_parameter" "grafana_password" {
  name             = "${local.parameters}/monitoring/grafana/admin-password"
  type             = "SecureString"
  tier             = "Standard"
  key_id           = aws_kms_key.parameters.arn
  value_wo         = ephemeral.random_password.grafana.result
  value_wo_version = 1

  lifecycle {
    ignore_changes = [key_id, tier]
  }
}
