# Written by blueprint. Change the blueprint instead.

locals {
  project     = "bookshop"
  environment = "production"
  account     = "111122223333"
  region      = "eu-west-1"

  # The name of the cluster, which the platform root creates.
  name = "${local.project}-${local.environment}"

  tags = {
    project       = local.project
    environment   = local.environment
    "owner"       = "acme"
    "cost-center" = "4711"
    managed-by    = "terraform"
  }
}

variable "api_port" {
  description = "Local port that `scripts/tunnel` forwards to the Kubernetes API. Null: the providers connect to the endpoint of the cluster."
  type        = number
  default     = null

  validation {
    condition     = var.api_port == null || (coalesce(var.api_port, 0) >= 1024 && coalesce(var.api_port, 0) <= 65535)
    error_message = "api_port must be a port from 1024 to 65535."
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account]

  default_tags {
    tags = local.tags
  }
}

data "aws_eks_cluster" "main" {
  name = local.name
}

locals {
  endpoint  = data.aws_eks_cluster.main.endpoint
  authority = base64decode(data.aws_eks_cluster.main.certificate_authority[0].data)

  # The tunnel only forwards the connection, so the certificate is verified against the host name of the endpoint.
  api_host        = var.api_port == null ? local.endpoint : "https://127.0.0.1:${var.api_port}"
  api_server_name = trimprefix(local.endpoint, "https://")

  # A token is valid for 15 minutes, so each provider requests one when it connects. No token is in a plan or in the state.
  token = {
    api_version = "client.authentication.k8s.io/v1beta1"
    command     = "aws"
    args        = ["eks", "get-token", "--cluster-name", local.name, "--region", local.region, "--output", "json"]
  }
}

provider "kubernetes" {
  host                   = local.api_host
  tls_server_name        = local.api_server_name
  cluster_ca_certificate = local.authority

  exec {
    api_version = local.token.api_version
    command     = local.token.command
    args        = local.token.args
  }
}

provider "helm" {
  kubernetes = {
    host                   = local.api_host
    tls_server_name        = local.api_server_name
    cluster_ca_certificate = local.authority
    exec                   = local.token
  }
}
