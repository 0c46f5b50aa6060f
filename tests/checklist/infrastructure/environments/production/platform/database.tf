# What the checks accept of a database, until the platform has one.

locals {
  project     = "faceit"
  environment = "production"
  account     = "111122223333"
  region      = "eu-west-1"
  name        = "faceit-production"
  boundary    = "arn:aws:iam::111122223333:policy/faceit-production-boundary"
  parameters  = "/${local.project}/${local.environment}"

  zones = {
    "euw1-az1" = { database = "10.20.144.0/22" }
    "euw1-az2" = { database = "10.20.148.0/22" }
  }

  postgres_version        = "18"
  master_password_version = 1
}

resource "aws_subnet" "database" {
  for_each = local.zones

  availability_zone_id = each.key
  cidr_block           = each.value.database
}

resource "aws_db_subnet_group" "main" {
  name       = local.name
  subnet_ids = [for zone in keys(local.zones) : aws_subnet.database[zone].id]
}

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "Database of ${local.name}"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_kms_key" "database" {
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_cloudwatch_log_group" "database" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${local.name}/${each.key}"
  retention_in_days = 365
}

resource "aws_iam_role" "database_monitoring" {
  name                 = "${local.name}-database-monitoring"
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = { Service = "monitoring.rds.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_db_parameter_group" "main" {
  family = "postgres${local.postgres_version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "password_encryption"
    value = "scram-sha-256"
  }
}

ephemeral "random_password" "master" {
  length = 40
}

resource "aws_db_instance" "main" {
  identifier                 = local.name
  engine                     = "postgres"
  engine_version             = local.postgres_version
  auto_minor_version_upgrade = true

  multi_az              = true
  allocated_storage     = 50
  max_allocated_storage = 200
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.database.arn
  parameter_group_name  = aws_db_parameter_group.main.name

  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]

  username            = "master"
  password_wo         = ephemeral.random_password.master.result
  password_wo_version = local.master_password_version

  backup_retention_period   = 14
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${local.name}-${aws_kms_key.database.key_id}"

  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.database_monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.database.arn

  depends_on = [
    aws_cloudwatch_log_group.database,
    aws_iam_role_policy_attachment.database_monitoring,
  ]
}
