# Written by blueprint. Change the blueprint instead.

locals {
  log_groups = {
    cluster   = "/aws/eks/${local.name}/cluster"
    flow_logs = "/aws/vpc/${local.name}/flow-logs"

    # Names of the log groups that RDS writes to.
    database_postgresql = "/aws/rds/instance/${local.name}/postgresql"
    database_upgrade    = "/aws/rds/instance/${local.name}/upgrade"
  }

  autoscaling_role = "arn:aws:iam::${local.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"

  # The apply role may administer each key, but not encrypt or decrypt with it. It is named in the key policy, because a condition on
  # the tags of a key would fail at first: KMS may need minutes until new tags affect authorization.
  key_administration = [
    {
      Sid       = "PoliciesOfTheAccount"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${local.account}:root" }
      Action    = "kms:*"
      Resource  = "*"
    },
    {
      Sid       = "Administration"
      Effect    = "Allow"
      Principal = { AWS = local.apply_role }
      Action = [
        "kms:CreateAlias",
        "kms:DeleteAlias",
        "kms:DescribeKey",
        "kms:EnableKey",
        "kms:EnableKeyRotation",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListKeyRotations",
        "kms:ListResourceTags",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateAlias",
        "kms:UpdateKeyDescription",
      ]
      Resource = "*"
    },
  ]
}

resource "aws_kms_key" "cluster" {
  description             = "Envelope encryption of the Secrets of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.key_administration, [
      {
        # EKS creates its grant as the principal that creates the cluster. There is no condition on
        # `kms:GrantIsForAWSResource`: CreateCluster does not support it and would be denied
        # (https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html).
        Sid       = "GrantToTheCluster"
        Effect    = "Allow"
        Principal = { AWS = local.apply_role }
        Action    = "kms:CreateGrant"
        Resource  = "*"
      },
    ])
  })
}

resource "aws_kms_alias" "cluster" {
  name          = "alias/${local.name}-cluster"
  target_key_id = aws_kms_key.cluster.key_id
}

resource "aws_kms_key" "logs" {
  description             = "Log groups of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.key_administration, [
      {
        Sid       = "CloudWatchLogs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          ArnEquals = {
            "kms:EncryptionContext:aws:logs:arn" = [
              for group in values(local.log_groups) : "arn:aws:logs:${local.region}:${local.account}:log-group:${group}"
            ]
          }
        }
      },
    ])
  })
}

resource "aws_kms_alias" "logs" {
  name          = "alias/${local.name}-logs"
  target_key_id = aws_kms_key.logs.key_id
}

resource "aws_kms_key" "volumes" {
  description             = "Node disks and persistent volumes of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  # Auto Scaling launches the nodes, including those on spot capacity: the service-linked role of EC2 Spot uses the key only with
  # launch configurations, and these have a launch template (Amazon EC2 Auto Scaling User Guide,
  # key-policy-requirements-EBS-encryption). The service-linked role of Auto Scaling is matched by a condition, because it does not
  # exist yet in a new account, and KMS rejects a policy whose Principal does not exist.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.key_administration, [
      {
        Sid       = "AutoScaling"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          StringEquals = { "kms:CallerAccount" = local.account }
          ArnEquals    = { "aws:PrincipalArn" = local.autoscaling_role }
        }
      },
      {
        Sid       = "AutoScalingGrants"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = "kms:CreateGrant"
        Resource  = "*"
        Condition = {
          StringEquals = { "kms:CallerAccount" = local.account }
          ArnEquals    = { "aws:PrincipalArn" = local.autoscaling_role }
          Bool         = { "kms:GrantIsForAWSResource" = "true" }
        }
      },
    ])
  })
}

resource "aws_kms_alias" "volumes" {
  name          = "alias/${local.name}-volumes"
  target_key_id = aws_kms_key.volumes.key_id
}
