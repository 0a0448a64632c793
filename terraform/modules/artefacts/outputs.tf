output "functions" {
  description = "Code of each function by its name in the build: where the zip is, its digest, and how it is published."
  value = {
    for name in keys(local.manifest.functions) : name => merge(local.files["functions/${name}"], {
      code_signing_config_arn = one([for config in aws_lambda_code_signing_config.this : config.arn])
      publish                 = var.publish_versions
    })
  }
}

output "release" {
  description = "Name of what stands: the start of the digest over all digests (scripts/publish.py names the manifest so)."
  value       = substr(sha256(jsonencode({ for path, file in local.files : path => file.digest })), 0, 12)
}

output "layer_arns" {
  description = "Layer versions in the order Lambda lays them over one another: the first-party package on top."
  value       = [for name in reverse(local.shared_layers) : aws_lambda_layer_version.this[name].arn]
}

output "imaging_layer_arn" {
  description = "Layer version for pictures and documents, to be laid under the others."
  value       = aws_lambda_layer_version.this["imaging"].arn
}
