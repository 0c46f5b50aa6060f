# What the checks accept of Pod Identity.

resource "aws_iam_role" "dns" {
  name                 = "faceit-production-dns"
  permissions_boundary = "arn:aws:iam::111122223333:policy/faceit-production-boundary"

  assume_role_policy = jsonencode({
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "pods.eks.amazonaws.com" }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
      },
    ]
  })
}

resource "aws_eks_pod_identity_association" "dns" {
  cluster_name    = "faceit-production"
  namespace       = "external-dns"
  service_account = "dns"
  role_arn        = aws_iam_role.dns.arn
}
