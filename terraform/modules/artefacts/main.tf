locals {
  manifest = jsondecode(file("${var.artefacts_dir}/artefacts.json"))

  # The layers every function stands on; imaging (pictures and documents) is for the task processor alone.
  shared_layers = ["sendmill", "dependencies"]
}

# A digest of the CONTENT, not of the zip: another zlib compresses the same files to other bytes, and that
# must not deploy anything. The path stays relative, since a new file name alone would update a function.
resource "aws_lambda_layer_version" "this" {
  for_each = toset(concat(local.shared_layers, ["imaging"]))

  layer_name               = "${var.deployment.name_prefix}-${each.key}"
  filename                 = "${var.artefacts_dir}/${local.manifest.layers[each.key].path}"
  source_code_hash         = local.manifest.layers[each.key].digest
  compatible_runtimes      = ["python3.13"]
  compatible_architectures = ["arm64"]

  lifecycle {
    # A change replaces the version, and functions still pointing at the old one must not lose it meanwhile.
    create_before_destroy = true

    precondition {
      condition     = var.emulated || local.manifest.target == "lambda"
      error_message = "The artefacts in ${var.artefacts_dir} were built for \"${local.manifest.target}\", not for Lambda: run `make build TARGET=lambda`."
    }
  }
}
