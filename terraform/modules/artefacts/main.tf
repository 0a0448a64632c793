locals {
  manifest = jsondecode(file("${var.artefacts_dir}/artefacts.json"))

  # The layers every function stands on; imaging (pictures and documents) is for the task processor alone.
  shared_layers = ["sendmill", "dependencies"]

  # Where each zip is: in the bucket under the digest of its content, or in the folder of the manifest. The path
  # stays relative, since a new file name alone would update a function.
  signed = var.code_signing_profile_version_arn == null ? "" : "signed/"
  files = {
    for path, digest in merge(
      { for name, function in local.manifest.functions : "functions/${name}" => function.digest },
      { for name, layer in local.manifest.layers : "layers/${name}" => layer.digest },
      ) : path => {
      digest   = digest
      filename = var.bucket == null ? "${var.artefacts_dir}/${path}.zip" : null
      bucket   = var.bucket
      key      = var.bucket == null ? null : "${local.signed}${path}/${digest}.zip"
    }
  }
}

# Lambda then refuses code that the profile did not sign. Provider 5.100 falls over the emulator's answer.
resource "aws_lambda_code_signing_config" "this" {
  for_each = toset(var.code_signing_profile_version_arn == null ? [] : ["signed"])

  description = "Only what the profile of ${var.deployment.name_prefix} signed"

  allowed_publishers {
    signing_profile_version_arns = [var.code_signing_profile_version_arn]
  }

  policies {
    untrusted_artifact_on_deployment = "Enforce"
  }
}

# A digest of the CONTENT, not of the zip: another zlib compresses the same files to other bytes, and that
# must not deploy anything.
resource "aws_lambda_layer_version" "this" {
  for_each = toset(concat(local.shared_layers, ["imaging"]))

  layer_name               = "${var.deployment.name_prefix}-${each.key}"
  filename                 = local.files["layers/${each.key}"].filename
  s3_bucket                = local.files["layers/${each.key}"].bucket
  s3_key                   = local.files["layers/${each.key}"].key
  source_code_hash         = local.files["layers/${each.key}"].digest
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
