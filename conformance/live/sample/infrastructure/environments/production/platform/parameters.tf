# What the harness reads of a platform: the parameters, and who may read them.
locals {
  parameters = "/${local.project}/${local.environment}"

  databases = {
    "database/master" = "postgres"
    "shop/database"   = "shop"
  }

  logins = {
    "shop/database/1" = "shop_1"
  }

  secret_readers = {
    "database"   = ["database", "shop/database"]
    "monitoring" = ["monitoring"]
    "shop"       = ["shop"]
  }
}

resource "aws_ssm_parameter" "database_url" {
  for_each = local.databases

  name  = "${local.parameters}/${each.key}/url"
  type  = "String"
  value = each.value
}

resource "aws_ssm_parameter" "login_password" {
  for_each = local.logins

  name             = "${local.parameters}/${each.key}/password"
  type             = "SecureString"
  value_wo         = ephemeral.random_password.login[each.key].result
  value_wo_version = 1
}

resource "aws_ssm_parameter" "master_password" {
  name             = "${local.parameters}/database/master/password"
  type             = "SecureString"
  value_wo         = ephemeral.random_password.master.result
  value_wo_version = 1
}
