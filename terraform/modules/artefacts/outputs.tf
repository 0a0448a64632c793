output "functions" {
  description = "Zip (path, digest) of each function, by its name in the build."
  value = {
    for name, function in local.manifest.functions : name => {
      filename = "${var.artefacts_dir}/${function.path}"
      digest   = function.digest
    }
  }
}

output "layer_arns" {
  description = "Layer versions in the order Lambda lays them over one another: the first-party package on top."
  value       = [for name in reverse(local.shared_layers) : aws_lambda_layer_version.this[name].arn]
}

output "imaging_layer_arn" {
  description = "Layer version for pictures and documents, to be laid under the others."
  value       = aws_lambda_layer_version.this["imaging"].arn
}
