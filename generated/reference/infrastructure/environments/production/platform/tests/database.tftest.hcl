# Written by blueprint. Change the blueprint instead.

# Runs without an AWS account. The random provider is not mocked, because Terraform cannot mock ephemeral values: it generates real
# passwords, which are not shown.

mock_provider "aws" {
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:mock" }
  }

  mock_resource "aws_db_instance" {
    defaults = { address = "mock.rds.invalid" }
  }

  mock_resource "aws_eks_cluster" {
    defaults = {
      identity = [{ oidc = [{ issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF" }] }]
    }
  }

  mock_resource "aws_eks_node_group" {
    defaults = {
      resources = [{ autoscaling_groups = [{ name = "eks-mock" }], remote_access_security_group_id = "" }]
    }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = {
      arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef" }
  }

  mock_data "aws_route53_zone" {
    defaults = {
      arn          = "arn:aws:route53:::hostedzone/Z0123456789MOCK"
      name_servers = ["ns-1.mock.invalid", "ns-2.mock.invalid"]
      zone_id      = "Z0123456789MOCK"
    }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      status = "ISSUED"
      domain_validation_options = [{
        domain_name           = "mock.invalid"
        resource_record_name  = "_mock.invalid"
        resource_record_type  = "CNAME"
        resource_record_value = "_mock.acm-validations.aws"
      }]
    }
  }

  mock_resource "aws_route53_zone" {
    defaults = {
      arn          = "arn:aws:route53:::hostedzone/Z0123456789MOCK"
      name_servers = ["ns-1.mock.invalid", "ns-2.mock.invalid"]
      zone_id      = "Z0123456789MOCK"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }
}

override_resource {
  target = aws_iam_role.database_monitoring
  values = { arn = "arn:aws:iam::111122223333:role/bookshop-production-database-monitoring" }
}

override_resource {
  target = aws_kms_key.database
  values = {
    arn    = "arn:aws:kms:eu-west-1:111122223333:key/11111111-1111-1111-1111-111111111111"
    key_id = "11111111-1111-1111-1111-111111111111"
  }
}

override_resource {
  target = aws_kms_key.parameters
  values = { arn = "arn:aws:kms:eu-west-1:111122223333:key/22222222-2222-2222-2222-222222222222" }
}

override_resource {
  target = aws_security_group.database
  values = { id = "sg-11111111111111111" }
}

run "network" {
  assert {
    condition = alltrue([
      !aws_db_instance.main.publicly_accessible,
      aws_db_instance.main.db_subnet_group_name == aws_db_subnet_group.main.name,
      toset(aws_db_subnet_group.main.subnet_ids) == toset([for subnet in aws_subnet.database : subnet.id]),
    ])
    error_message = "The database must be in its own subnets and must not be publicly accessible."
  }

  assert {
    condition = alltrue([
      for zone, subnet in aws_subnet.database :
      subnet.availability_zone_id == zone && subnet.cidr_block == local.zones[zone].database
      && aws_route_table_association.database[zone].route_table_id == aws_route_table.database.id
    ]) && length(aws_subnet.database) >= 2
    error_message = "Each zone must have a database subnet without a route out of the VPC."
  }

  assert {
    condition     = toset(aws_db_instance.main.vpc_security_group_ids) == toset([aws_security_group.database.id])
    error_message = "The database must have only its own security group."
  }

  assert {
    condition = alltrue([
      aws_vpc_security_group_ingress_rule.database.security_group_id == aws_security_group.database.id,
      aws_vpc_security_group_ingress_rule.database.referenced_security_group_id == aws_eks_cluster.main.vpc_config[0].cluster_security_group_id,
      aws_vpc_security_group_ingress_rule.database.cidr_ipv4 == null,
      aws_vpc_security_group_ingress_rule.database.cidr_ipv6 == null,
      aws_vpc_security_group_ingress_rule.database.ip_protocol == "tcp",
      aws_vpc_security_group_ingress_rule.database.from_port == aws_db_instance.main.port,
      aws_vpc_security_group_ingress_rule.database.to_port == aws_db_instance.main.port,
    ])
    error_message = "Only nodes and pods may connect to the database, on its port."
  }
}

run "instance" {
  assert {
    condition = alltrue([
      aws_db_instance.main.storage_encrypted,
      aws_db_instance.main.kms_key_id == aws_kms_key.database.arn,
      aws_db_instance.main.performance_insights_kms_key_id == aws_kms_key.database.arn,
      aws_kms_key.database.enable_key_rotation,
      aws_kms_key.database.deletion_window_in_days >= 7,
    ])
    error_message = "Storage, backups and insights must be encrypted with the key of the database."
  }

  assert {
    condition = alltrue([
      for name, value in { "rds.force_ssl" = "1", "rds.accepted_password_auth_method" = "scram", "password_encryption" = "scram-sha-256" } :
      contains([for parameter in aws_db_parameter_group.main.parameter : parameter.value if parameter.name == name], value)
    ])
    error_message = "TLS and SCRAM-SHA-256 must be enforced."
  }

  assert {
    condition = alltrue([
      aws_db_instance.main.parameter_group_name == aws_db_parameter_group.main.name,
      aws_db_parameter_group.main.family == "postgres${aws_db_instance.main.engine_version}",
      endswith(aws_db_parameter_group.main.name, aws_db_parameter_group.main.family),
    ])
    error_message = "The parameter group must match the major version of the instance and contain it in its name, so that the group of the next version can exist at the same time."
  }

  assert {
    condition     = can(regex("^[0-9]+$", aws_db_instance.main.engine_version)) && aws_db_instance.main.auto_minor_version_upgrade
    error_message = "Only the major version may be set, because RDS installs minor versions automatically."
  }

  assert {
    condition     = aws_db_instance.main.multi_az && aws_db_instance.main.backup_retention_period >= 7
    error_message = "Multi-AZ must be on, and backups must be kept for at least 7 days."
  }

  assert {
    condition = alltrue([
      aws_db_instance.main.deletion_protection,
      !aws_db_instance.main.skip_final_snapshot,
      !aws_db_instance.main.delete_automated_backups,
      aws_db_instance.main.copy_tags_to_snapshot,
      aws_db_instance.main.final_snapshot_identifier == "${local.name}-11111111-1111-1111-1111-111111111111",
    ])
    error_message = "The final snapshot must have a unique name, which contains the id of the key."
  }

  assert {
    condition = alltrue([
      for kind in aws_db_instance.main.enabled_cloudwatch_logs_exports :
      aws_cloudwatch_log_group.database[kind].name == "/aws/rds/instance/${aws_db_instance.main.identifier}/${kind}"
      && aws_cloudwatch_log_group.database[kind].retention_in_days >= 365
    ]) && toset(aws_db_instance.main.enabled_cloudwatch_logs_exports) == toset(keys(aws_cloudwatch_log_group.database))
    error_message = "The log groups must be those that RDS writes to, with a retention of at least 365 days."
  }

  assert {
    condition = alltrue([
      aws_db_instance.main.performance_insights_enabled,
      aws_db_instance.main.monitoring_interval > 0,
      aws_db_instance.main.monitoring_role_arn == aws_iam_role.database_monitoring.arn,
      aws_iam_role.database_monitoring.permissions_boundary == local.boundary,
    ])
    error_message = "Enhanced monitoring must be on, with a role that has the permissions boundary."
  }
}

run "secrets" {
  assert {
    condition     = contains(keys(aws_ssm_parameter.master_password), tostring(aws_db_instance.main.password_wo_version))
    error_message = "Parameter Store must contain the current password of the instance, under its number."
  }

  assert {
    condition     = aws_db_instance.main.password == null && aws_db_instance.main.manage_master_user_password == null
    error_message = "The master password must be write-only, and RDS must not manage it."
  }

  assert {
    condition = alltrue([
      for parameter in concat(values(aws_ssm_parameter.master_password), values(aws_ssm_parameter.login_password), values(aws_ssm_parameter.login_username)) :
      parameter.type == "SecureString" && parameter.key_id == aws_kms_key.parameters.arn && parameter.value_wo_version >= 1
    ])
    error_message = "Secrets must be encrypted with the key of the parameters, and their values must be write-only."
  }

  assert {
    condition = toset(keys(aws_ssm_parameter.login_password)) == toset([
      "shop/database/1",
    ]) && keys(aws_ssm_parameter.login_password) == keys(aws_ssm_parameter.login_username)
    error_message = "The current and the previous login must exist, each with user name and password."
  }

  assert {
    condition = alltrue([
      for folder in keys(local.databases) :
      aws_ssm_parameter.database_endpoint[folder].value == aws_db_instance.main.address
      && aws_ssm_parameter.database_port[folder].value == "5432"
      && startswith(aws_ssm_parameter.database_name[folder].name, "/${local.project}/${local.environment}/${folder}/")
    ])
    error_message = "The connection data must be in the same folder as the login."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.parameters.policy).Statement :
      statement.Condition.StringEquals["kms:ViaService"] == "ssm.${local.region}.amazonaws.com"
      && statement.Condition.StringLike["kms:EncryptionContext:PARAMETER_ARN"] == local.written_parameters
      if contains(["Look", "Write"], statement.Sid)
    ])
    error_message = "The pipeline roles may use the key only through Parameter Store, and only for the folders that Terraform writes."
  }
}
