# One PostgreSQL instance for all applications that need a database. In it each application has its own database, owner and logins.
#%- if let Some(database) = environment.database %#

locals {
  postgres_version = "#{ database.version }#"

  # The number of the current master password, and the numbers in Parameter Store: the current and the previous one, which the
  # manifests read until they refer to the current one. Never lower it.
  master_password  = #{ database.master_password_version|number }#
  master_passwords = toset(#{ database.master_passwords()|hcl_list(2) }#)
}

# The database has its own subnets, whose route table has no route out of the VPC.

resource "aws_subnet" "database" {
  for_each = local.zones

  vpc_id               = aws_vpc.main.id
  availability_zone_id = each.key
  cidr_block           = each.value.database

  tags = { Name = "${local.name}-database-${each.key}" }
}

resource "aws_route_table" "database" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-database" }
}

resource "aws_route_table_association" "database" {
  for_each = local.zones

  route_table_id = aws_route_table.database.id
  subnet_id      = aws_subnet.database[each.key].id
}

resource "aws_db_subnet_group" "main" {
  name        = local.name
  description = "Database subnets of ${local.name}"
  subnet_ids  = [for zone in keys(local.zones) : aws_subnet.database[zone].id]
}

# All nodes and pods have the security group of the cluster. Network policies in the cluster restrict which pods may connect.

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "Database of ${local.name}"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from nodes and pods"
  referenced_security_group_id = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432

  tags = { Name = "${local.name}-database" }
}

resource "aws_kms_key" "database" {
  description             = "Database of ${local.name}, its backups and its insights"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.key_administration, [
      {
        # RDS creates its grant with the permissions of the principal that creates the instance.
        Sid       = "GrantToTheDatabase"
        Effect    = "Allow"
        Principal = { AWS = local.apply_role }
        Action    = "kms:CreateGrant"
        Resource  = "*"
        Condition = {
          Bool         = { "kms:GrantIsForAWSResource" = "true" }
          StringEquals = { "kms:ViaService" = "rds.${local.region}.amazonaws.com" }
        }
      },
      {
        Sid       = "ThroughTheDatabase"
        Effect    = "Allow"
        Principal = { AWS = local.apply_role }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:ViaService" = "rds.${local.region}.amazonaws.com" } }
      },
    ])
  })
}

resource "aws_kms_alias" "database" {
  name          = "alias/${local.name}-database"
  target_key_id = aws_kms_key.database.key_id
}

# Created before the instance. Otherwise RDS creates the log groups, without encryption and retention.

resource "aws_cloudwatch_log_group" "database" {
  for_each = toset(["postgresql", "upgrade"])

  name              = local.log_groups["database_${each.key}"]
  kms_key_id        = aws_kms_key.logs.arn
  retention_in_days = 365
}

resource "aws_iam_role" "database_monitoring" {
  name                 = "${local.name}-database-monitoring"
  description          = "Enhanced monitoring of the database of ${local.name}"
  path                 = local.role_path
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "monitoring.rds.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = "arn:aws:rds:${local.region}:${local.account}:db:${local.name}" }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "database_monitoring" {
  role       = aws_iam_role.database_monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

# A parameter group belongs to one major version and is in use until an upgrade is complete, so the group of the next version has
# another name and is created first.
resource "aws_db_parameter_group" "main" {
  name        = "${local.name}-postgres${local.postgres_version}"
  description = "Database of ${local.name}"
  family      = "postgres${local.postgres_version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "rds.accepted_password_auth_method"
    value = "scram"
  }

  parameter {
    name  = "password_encryption"
    value = "scram-sha-256"
  }

  parameter {
    name  = "log_statement"
    value = "#{ database.log_statements }#"
  }

  # In milliseconds.
  parameter {
    name  = "log_min_duration_statement"
    value = "#{ database.log_slower_than }#"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Generated in every run, but written only if its number changes: first to the instance, then to the parameter with that number.
ephemeral "random_password" "master" {
  for_each = local.master_passwords

  length  = 40
  special = false
}

# Applications log in with passwords. IAM authentication would be a second way to log in.
#trivy:ignore:AWS-0176
resource "aws_db_instance" "main" {
  # checkov:skip=CKV_AWS_161:Applications log in with passwords; IAM authentication would be a second way to log in
#%- if !database.multi_az %#
  # checkov:skip=CKV_AWS_157:The blueprint sets multi-az = false
#%- endif %#
#%- if !database.deletion_protection %#
  # checkov:skip=CKV_AWS_293:The blueprint sets deletion-protection = false
#%- endif %#

  identifier = local.name

  # Only the major version: RDS installs minor versions, and a minor version here would become a downgrade.
  engine                      = "postgres"
  engine_version              = local.postgres_version
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = true

  # At the end of standard support, RDS upgrades the database instead of charging for extended support.
  engine_lifecycle_support = "open-source-rds-extended-support-disabled"

  # Changes are applied immediately and not in the maintenance window. Until then the old parameter group would stay in use, and
  # every plan would show the change again.
  apply_immediately = true

  instance_class        = "#{ database.class }#"
  multi_az              = #{ database.multi_az }#
  storage_type          = "gp3"
  allocated_storage     = #{ database.storage|number }#
  max_allocated_storage = #{ database.max_storage|number }#
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.database.arn
  parameter_group_name  = aws_db_parameter_group.main.name

  port                   = 5432
  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  username            = "#{ database.master() }#"
  password_wo         = ephemeral.random_password.master[local.master_password].result
  password_wo_version = local.master_password

  # Automated backups are kept when the instance is deleted, so that an accidental deletion can be undone.
  backup_retention_period  = #{ database.backup_days|number }#
  backup_window            = "#{ database.backup_window }#"
  maintenance_window       = "#{ database.maintenance_window }#"
  copy_tags_to_snapshot    = true
  delete_automated_backups = false
#%- if !database.deletion_protection %#

  # The blueprint sets deletion-protection = false.
  #trivy:ignore:AWS-0177
#%- endif %#
  deletion_protection      = #{ database.deletion_protection }#

  # The name of the final snapshot ends with the id of the KMS key. An environment that is created again has another key, so its
  # teardown does not conflict with this snapshot. A timestamp or random value would change in every plan.
  skip_final_snapshot       = false
  final_snapshot_identifier = "${local.name}-${aws_kms_key.database.key_id}"

  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  monitoring_interval             = #{ database.monitoring_interval|number }#
  monitoring_role_arn             = aws_iam_role.database_monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.database.arn

  tags = { Name = local.name }

  # A restore adds this block in an override file and removes it afterwards (README, "Restore to a point in time"). Without
  # `ignore_changes`, removing it would replace the instance.
  lifecycle {
    ignore_changes = [restore_to_point_in_time]
  }

  depends_on = [
    aws_cloudwatch_log_group.database,
    aws_iam_role_policy_attachment.database_monitoring,
  ]
}
#%- endif %#
