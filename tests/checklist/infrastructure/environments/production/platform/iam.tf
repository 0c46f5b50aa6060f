# What the checks accept of roles, until the platform has these.

locals {
  issuer = trimprefix(aws_eks_cluster.main.identity[0].oidc[0].issuer, "https://")

  workloads = {
    "external-dns"       = { subject = "system:serviceaccount:external-dns:external-dns" }
    "cluster-autoscaler" = { subject = "system:serviceaccount:cluster-autoscaler:cluster-autoscaler" }
    "secrets-test-app"   = { subject = "system:serviceaccount:test-app:secrets" }
  }
}

resource "aws_iam_role" "workload" {
  for_each = local.workloads

  name                 = "${local.name}-${each.key}"
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Statement = {
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = each.value.subject
        }
      }
    }
  })
}

resource "aws_iam_role_policy" "external_dns" {
  role = aws_iam_role.workload["external-dns"].name

  policy = jsonencode({
    Statement = [
      { Effect = "Allow", Action = "route53:ChangeResourceRecordSets", Resource = [aws_route53_zone.main.arn] },
      { Effect = "Allow", Action = "route53:ListHostedZones", Resource = ["*"] },
    ]
  })
}

resource "aws_iam_role_policy" "cluster_autoscaler" {
  role = aws_iam_role.workload["cluster-autoscaler"].name

  policy = jsonencode({
    Statement = {
      Effect   = "Allow"
      Action   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
      Resource = ["arn:aws:autoscaling:${local.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/eks-*"]
      Condition = {
        StringEquals = {
          "aws:ResourceTag/k8s.io/cluster-autoscaler/${local.name}" = "owned"
        }
      }
    }
  })
}

resource "aws_iam_role_policy" "secrets_test_app" {
  role = aws_iam_role.workload["secrets-test-app"].name

  policy = jsonencode({
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
        Resource = ["arn:aws:ssm:${local.region}:${local.account}:parameter${local.parameters}/test-app/*"]
      },
      {
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [aws_kms_key.parameters.arn]
        Condition = { StringEquals = { "kms:ViaService" = "ssm.${local.region}.amazonaws.com" } }
      },
    ]
  })
}
