# What the checks accept of the second root, until the platform has one.

data "aws_eks_cluster" "main" {
  name = "faceit-production"
}

provider "kubernetes" {
  host                   = data.aws_eks_cluster.main.endpoint
  tls_server_name        = trimprefix(data.aws_eks_cluster.main.endpoint, "https://")
  cluster_ca_certificate = base64decode(data.aws_eks_cluster.main.certificate_authority[0].data)
}

provider "helm" {
  kubernetes = {
    host                   = data.aws_eks_cluster.main.endpoint
    tls_server_name        = trimprefix(data.aws_eks_cluster.main.endpoint, "https://")
    cluster_ca_certificate = base64decode(data.aws_eks_cluster.main.certificate_authority[0].data)
  }
}
