# Written by blueprint. Change the blueprint instead.

# Runs without an account and without a cluster. A provider with an ephemeral value cannot be a mock: the one of AWS is
# itself, with keys of nobody, and is asked nothing.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "mock"
  secret_key                  = "mock"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

mock_provider "helm" {}

mock_provider "kubernetes" {}

override_data {
  target = data.aws_eks_cluster.main

  values = {
    endpoint              = "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com"
    certificate_authority = [{ data = "bW9jaw==" }]
  }
}

variables {
  git_credential = false
}

run "endpoint" {
  assert {
    condition     = local.api_host == data.aws_eks_cluster.main.endpoint && data.aws_eks_cluster.main.name == local.name
    error_message = "Without a tunnel the cluster's own endpoint is asked."
  }
}

run "tunnel" {
  variables {
    api_port = 6443
  }

  assert {
    condition     = local.api_host == "https://127.0.0.1:6443"
    error_message = "With a tunnel the API is asked at the end of it."
  }

  assert {
    condition     = "https://${local.api_server_name}" == data.aws_eks_cluster.main.endpoint
    error_message = "Through a tunnel, too, the certificate must be the endpoint's own."
  }
}

run "no_privileged_port" {
  command = plan

  variables {
    api_port = 443
  }

  expect_failures = [var.api_port]
}

run "credential" {
  assert {
    condition     = kubernetes_secret_v1.git.data_wo_revision == 1
    error_message = "Without a revision the write-only value would never be written, and what is there would be read into the state."
  }

  assert {
    condition     = kubernetes_secret_v1.git.metadata[0].namespace == "flux-system" && kubernetes_secret_v1.git.metadata[0].name == "flux-system"
    error_message = "The FluxInstance finds its credential by this name."
  }
}

run "flux" {
  assert {
    condition = alltrue([
      for release in [helm_release.flux_operator, helm_release.flux_instance] :
      can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", release.version)) && release.namespace == "flux-system"
    ])
    error_message = "Charts have an exact version, and stand in the namespace of Flux."
  }

  assert {
    condition = alltrue([
      yamldecode(helm_release.flux_instance.values[0]).instance.cluster.multitenant,
      yamldecode(helm_release.flux_instance.values[0]).instance.cluster.networkPolicy,
      can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", yamldecode(helm_release.flux_instance.values[0]).instance.distribution.version)),
    ])
    error_message = "Flux has an exact version, keeps tenants apart and stands behind network policies."
  }

  assert {
    condition     = yamldecode(helm_release.flux_instance.values[0]).instance.sync.path == "clusters/${local.environment}"
    error_message = "Flux syncs this environment's own folder."
  }

  assert {
    condition     = yamldecode(helm_release.flux_instance.values[0]).instance.sync.pullSecret == kubernetes_secret_v1.git.metadata[0].name
    error_message = "Flux reads with the credential that was put here."
  }
}
