# Once an account (and environment), before its first deploy: `make bootstrap ENV=...`. Its own state lies in the
# bucket that it looks after, so that a second run, from any laptop, finds what the first one made.

import {
  to = module.account.aws_s3_bucket.this["state"]
  id = var.state_bucket
}

import {
  to = module.account.aws_s3_bucket.this["artefacts"]
  id = var.artefact_bucket
}

module "account" {
  source = "../modules/account"

  deployment      = local.deployment
  state_bucket    = var.state_bucket
  artefact_bucket = var.artefact_bucket
  github          = var.github
  code_signing    = var.code_signing
  emulated        = var.emulated
}
