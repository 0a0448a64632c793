output "plan_role_arn" {
  description = "Role of pull requests, which may read settings and state; empty without a repository."
  value       = one([for name, role in aws_iam_role.pipeline : role.arn if name == "plan"])
}

output "apply_role_arn" {
  description = "Role of deploys from main; empty without a repository."
  value       = one([for name, role in aws_iam_role.pipeline : role.arn if name == "apply"])
}

output "code_signing_profile_name" {
  description = "Signing profile that `make publish` signs with; empty when code is not signed."
  value       = one([for profile in aws_signer_signing_profile.this : profile.name])
}

output "code_signing_profile_version_arn" {
  description = "Value for code_signing_profile_version_arn in the environment's tfvars; empty when code is not signed."
  value       = one([for profile in aws_signer_signing_profile.this : profile.version_arn])
}

output "policies" {
  description = "Policy of each pipeline role by its name; the tests hold them to what they are for."
  value = {
    plan  = data.aws_iam_policy_document.plan.json
    apply = data.aws_iam_policy_document.apply.json
  }
}
