output "plan_role_arn" {
  description = "Role of pull requests: the repository variable AWS_PLAN_ROLE_<ENVIRONMENT> of GitHub."
  value       = module.account.plan_role_arn
}

output "apply_role_arn" {
  description = "Role of deploys: the variable AWS_APPLY_ROLE of the GitHub environment of this name."
  value       = module.account.apply_role_arn
}

output "state_bucket" {
  description = "Bucket of the state."
  value       = var.state_bucket
}

output "artefact_bucket" {
  description = "Bucket of zips, layers and manifests."
  value       = var.artefact_bucket
}

output "code_signing_profile_name" {
  description = "Signing profile that `make publish` signs with; null when code is not signed."
  value       = module.account.code_signing_profile_name
}

output "code_signing_profile_version_arn" {
  description = "Value for code_signing_profile_version_arn in env/<environment>.tfvars; null when code is not signed."
  value       = module.account.code_signing_profile_version_arn
}
