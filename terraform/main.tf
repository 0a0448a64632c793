# The story, in the order a campaign travels: artefacts and ledger first, because all the others stand on
# them; then sign-in, API, dispatch, the e-mail queue and its worker, and the mail identity at the end.

module "artefacts" {
  source = "./modules/artefacts"

  deployment    = local.deployment
  artefacts_dir = var.artefacts_dir
  emulated      = var.emulated
}

module "store" {
  source = "./modules/store"

  deployment           = local.deployment
  protect_data         = var.protect_data
  list_retention_days  = var.list_retention_days
  secret_recovery_days = var.secret_recovery_days
}

module "auth" {
  source = "./modules/auth"

  deployment   = local.deployment
  jwt_issuer   = var.jwt_issuer
  jwt_audience = var.jwt_audience
  protect_data = var.protect_data
}

module "api" {
  source = "./modules/api"

  deployment = local.deployment
  package    = module.artefacts.functions["api"]
  layer_arns = module.artefacts.layer_arns
  log        = var.log
  settings   = var.api

  jwt_issuer   = module.auth.issuer
  jwt_audience = module.auth.audience

  environment_variables = {
    CAMPAIGNS_TABLE    = module.store.campaigns_table
    RECIPIENTS_TABLE   = module.store.recipients_table
    CONTACTS_BUCKET    = module.store.contacts_bucket
    DISPATCH_QUEUE_URL = module.dispatch_queue.url
    KEYS_SECRET_NAME   = module.store.keys_secret_name
    DEFAULT_FROM_EMAIL = var.default_from_email
    MAIL_SECRET_NAME   = module.mail.secret_name
  }

  policies = {
    campaigns-read  = module.store.campaigns_read_policy_json
    campaigns-write = module.store.campaigns_write_policy_json
    recipients-read = module.store.recipients_read_policy_json
    lists-read      = module.store.lists_read_policy_json
    lists-write     = module.store.lists_write_policy_json
    keys-read       = module.store.keys_read_policy_json
    dispatch-send   = module.dispatch_queue.send_policy_json
  }
}

module "dispatch_queue" {
  source = "./modules/queue"

  deployment = local.deployment
  name       = "dispatch"
  settings   = var.dispatch_queue
}

module "dispatch" {
  source = "./modules/worker"

  deployment = local.deployment
  name       = "dispatch"
  package    = module.artefacts.functions["dispatch"]
  layer_arns = module.artefacts.layer_arns
  log        = var.log
  settings   = var.dispatch
  queue      = module.dispatch_queue.source

  environment_variables = {
    CAMPAIGNS_TABLE    = module.store.campaigns_table
    RECIPIENTS_TABLE   = module.store.recipients_table
    CONTACTS_BUCKET    = module.store.contacts_bucket
    DISPATCH_QUEUE_URL = module.dispatch_queue.url
    EMAIL_QUEUE_URL    = module.email_queue.url
    KEYS_SECRET_NAME   = module.store.keys_secret_name
  }

  # It also sends to its own queue: one message for each chunk of the list.
  policies = {
    campaigns-read   = module.store.campaigns_read_policy_json
    campaigns-write  = module.store.campaigns_write_policy_json
    recipients-read  = module.store.recipients_read_policy_json
    recipients-write = module.store.recipients_write_policy_json
    lists-read       = module.store.lists_read_policy_json
    keys-read        = module.store.keys_read_policy_json
    dispatch-send    = module.dispatch_queue.send_policy_json
    email-send       = module.email_queue.send_policy_json
  }
}

module "email_queue" {
  source = "./modules/queue"

  deployment = local.deployment
  name       = "bulk-email"
  settings   = var.email_queue
}

module "email_worker" {
  source = "./modules/worker"

  deployment = local.deployment
  name       = "email_worker"
  package    = module.artefacts.functions["email_worker"]
  layer_arns = module.artefacts.layer_arns
  log        = var.log
  settings   = var.email_worker
  queue      = module.email_queue.source

  environment_variables = {
    CAMPAIGNS_TABLE       = module.store.campaigns_table
    RECIPIENTS_TABLE      = module.store.recipients_table
    EMAIL_QUEUE_URL       = module.email_queue.url
    KEYS_SECRET_NAME      = module.store.keys_secret_name
    SES_CONFIGURATION_SET = module.mail.configuration_set
    MAIL_SECRET_NAME      = module.mail.secret_name
    DEFAULT_FROM_EMAIL    = var.default_from_email
  }

  policies = {
    campaigns-read   = module.store.campaigns_read_policy_json
    campaigns-write  = module.store.campaigns_write_policy_json
    recipients-read  = module.store.recipients_read_policy_json
    recipients-write = module.store.recipients_write_policy_json
    keys-read        = module.store.keys_read_policy_json
    mail-send        = module.mail.send_policy_json
    mail-secret-read = module.mail.secret_read_policy_json
  }
}

module "mail" {
  source = "./modules/mail"

  deployment           = local.deployment
  domain               = var.mail_domain
  default_from_email   = var.default_from_email
  secret_name          = var.mail_secret_name
  secret_recovery_days = var.secret_recovery_days
  emulated             = var.emulated
}
