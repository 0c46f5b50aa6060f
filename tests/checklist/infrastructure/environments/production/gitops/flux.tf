# What the checks accept of the Git credential, until the platform has one.

resource "kubernetes_secret_v1" "git" {
  metadata {
    name      = "flux-system"
    namespace = "flux-system"
  }
  data_wo          = module.credential.values
  data_wo_revision = 1
}
