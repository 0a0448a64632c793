# The story, in the order a campaign travels: keys, artefacts and ledger first, because all the others stand on
# them; then sign-in, API, dispatch, the e-mail queue and its worker, the mail identity, what comes back from
# it, and at the end the clock that repairs what any of them left behind. Background tasks stand beside it all.

module "keys" {
  source = "./modules/keys"

  deployment = local.place
  enabled    = var.customer_managed_keys
}

module "artefacts" {
  source = "./modules/artefacts"

  deployment    = local.deployment
  artefacts_dir = var.artefacts_dir
  emulated      = var.emulated

  bucket                           = var.artefact_bucket
  publish_versions                 = var.publish_versions
  code_signing_profile_version_arn = var.code_signing_profile_version_arn
}

module "store" {
  source = "./modules/store"

  deployment           = local.deployment
  protect_data         = var.protect_data
  list_retention_days  = var.list_retention_days
  secret_recovery_days = var.secret_recovery_days
  upload_origins       = local.console_urls
  emulated             = var.emulated
}

module "auth" {
  source = "./modules/auth"

  deployment   = local.deployment
  jwt_issuer   = var.jwt_issuer
  jwt_audience = var.jwt_audience
  protect_data = var.protect_data
  programs     = var.programs
  oidc         = var.oidc
  emulator_url = var.emulator_url

  domain_prefix = var.sign_in_domain_prefix
  console_urls  = local.console_urls
  web_acl_arn   = var.sign_in_web_acl_arn
}

module "api" {
  source = "./modules/api"

  deployment = local.deployment
  package    = module.artefacts.functions["api"]
  layer_arns = module.artefacts.layer_arns
  log        = var.log
  settings   = var.api

  jwt_issuer    = module.auth.issuer
  jwt_audiences = module.auth.audiences

  environment_variables = {
    CAMPAIGNS_TABLE    = module.store.campaigns_table
    RECIPIENTS_TABLE   = module.store.recipients_table
    CONTACTS_BUCKET    = module.store.contacts_bucket
    DISPATCH_QUEUE_URL = module.dispatch_queue.url
    DISPATCH_QUEUE_ARN = module.dispatch_queue.arn
    EMAIL_QUEUE_URL    = module.email_queue.url
    EMAIL_DLQ_URL      = module.email_queue.dead_letter_url
    IMPORT_QUEUE_URL   = module.import_queue.url
    SCHEDULE_GROUP     = module.schedule.campaign_group
    SCHEDULE_ROLE_ARN  = module.schedule.campaign_role_arn
    KEYS_SECRET_NAME   = module.store.keys_secret_name
    DEFAULT_FROM_EMAIL = var.default_from_email
    MAIL_SECRET_NAME   = module.mail.secret_name
    UNKNOWN_POLICY     = var.unknown_policy
    ROLES_CLAIM        = var.roles_claim
    SIGN_IN            = jsonencode(module.auth.sign_in)

    SES_CONFIGURATION_SET    = module.mail.configuration_set
    APPROVAL_OVER_RECIPIENTS = tostring(var.approval_over_recipients)

    SENDMILL_TASK_RECEIPTS_TABLE = module.tasks.receipts_table

    TASK_QUEUES = jsonencode(concat([
      { name = "email", url = module.email_queue.url, dead_letter_url = module.email_queue.dead_letter_url },
      { name = "dispatch", url = module.dispatch_queue.url, dead_letter_url = module.dispatch_queue.dead_letter_url },
      { name = "import", url = module.import_queue.url, dead_letter_url = module.import_queue.dead_letter_url },
      { name = "feedback", url = module.feedback.queue_url, dead_letter_url = module.feedback.dead_letter_url },
    ], module.tasks.work_queues))
  }

  # It writes recipients for suppressions, unsubscribing and erasing, and deletes only suppressions. It reads
  # no upload but its first bytes and writes none: it signs the link by which others do.
  policies = merge(module.tasks.operator_policies, {
    campaigns-get     = module.store.policies["campaigns_get"]
    campaigns-query   = module.store.policies["campaigns_query"]
    campaigns-list    = module.store.policies["campaigns_list"]
    campaigns-write   = module.store.policies["campaigns_write"]
    campaigns-delete  = module.store.policies["campaigns_delete"]
    recipients-get    = module.store.policies["recipients_get"]
    recipients-query  = module.store.policies["recipients_query"]
    recipients-put    = module.store.policies["recipients_put"]
    recipients-update = module.store.policies["recipients_update"]
    recipients-delete = module.store.policies["recipients_delete"]
    lists-read        = module.store.policies["lists_read"]
    lists-write       = module.store.policies["lists_write"]
    lists-delete      = module.store.policies["lists_delete"]
    contacts-erase    = module.store.policies["contacts_erase"]
    uploads-read      = module.store.policies["uploads_read"]
    uploads-write     = module.store.policies["uploads_write"]
    contacts-find     = module.store.policies["contacts_find"]
    import-send       = module.import_queue.send_policy_json
    keys-read         = module.store.policies["keys_read"]
    dispatch-send     = module.dispatch_queue.send_policy_json
    email-watch       = module.email_queue.watch_policy_json
    email-redrive     = module.email_queue.redrive_policy_json
    dispatch-watch    = module.dispatch_queue.watch_policy_json
    dispatch-redrive  = module.dispatch_queue.redrive_policy_json
    import-watch      = module.import_queue.watch_policy_json
    import-redrive    = module.import_queue.redrive_policy_json
    feedback-watch    = module.feedback.watch_policy_json
    feedback-redrive  = module.feedback.redrive_policy_json
    schedules-manage  = module.schedule.manage_policy_json
    mail-send         = module.mail.send_policy_json
    mail-secret-read  = module.mail.secret_read_policy_json
    identities-read   = module.mail.identities_read_policy_json
  })
}

module "import_queue" {
  source = "./modules/queue"

  deployment = local.deployment
  name       = "import"
  settings   = var.import_queue
  emulated   = var.emulated
}

module "import_contacts" {
  source = "./modules/worker"

  deployment = local.deployment
  name       = "import_contacts"
  package    = module.artefacts.functions["import_contacts"]
  layer_arns = module.artefacts.layer_arns
  log        = var.log
  settings   = var.import_contacts
  queue      = module.import_queue.source

  environment_variables = {
    CAMPAIGNS_TABLE  = module.store.campaigns_table
    CONTACTS_BUCKET  = module.store.contacts_bucket
    IMPORT_QUEUE_URL = module.import_queue.url
  }

  # It also sends to its own queue: a file that takes longer than one run is gone on with by the next.
  policies = {
    campaigns-get   = module.store.policies["campaigns_get"]
    campaigns-write = module.store.policies["campaigns_write"]
    lists-read      = module.store.policies["lists_read"]
    lists-write     = module.store.policies["lists_write"]
    lists-delete    = module.store.policies["lists_delete"]
    uploads-read    = module.store.policies["uploads_read"]
    uploads-write   = module.store.policies["uploads_write"]
    uploads-delete  = module.store.policies["uploads_delete"]
    contacts-find   = module.store.policies["contacts_find"]
    import-send     = module.import_queue.send_policy_json
  }
}

module "dispatch_queue" {
  source = "./modules/queue"

  deployment = local.deployment
  name       = "dispatch"
  settings   = var.dispatch_queue
  emulated   = var.emulated
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
    FAIR_QUEUE         = tostring(var.message_group_fairness)
  }

  # It also sends to its own queue: one message for each chunk of the list.
  policies = {
    campaigns-get     = module.store.policies["campaigns_get"]
    campaigns-query   = module.store.policies["campaigns_query"]
    campaigns-write   = module.store.policies["campaigns_write"]
    recipients-query  = module.store.policies["recipients_query"]
    recipients-put    = module.store.policies["recipients_put"]
    recipients-update = module.store.policies["recipients_update"]
    lists-read        = module.store.policies["lists_read"]
    keys-read         = module.store.policies["keys_read"]
    dispatch-send     = module.dispatch_queue.send_policy_json
    email-send        = module.email_queue.send_policy_json
  }
}

module "email_queue" {
  source = "./modules/queue"

  deployment = local.deployment
  name       = "bulk-email"
  settings   = var.email_queue
  emulated   = var.emulated
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
    PUBLIC_URL            = module.api.url
  }

  policies = {
    campaigns-get     = module.store.policies["campaigns_get"]
    campaigns-write   = module.store.policies["campaigns_write"]
    recipients-get    = module.store.policies["recipients_get"]
    recipients-put    = module.store.policies["recipients_put"]
    recipients-update = module.store.policies["recipients_update"]
    keys-read         = module.store.policies["keys_read"]
    mail-send         = module.mail.send_policy_json
    mail-secret-read  = module.mail.secret_read_policy_json
    account-read      = module.mail.account_read_policy_json
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

module "feedback" {
  source = "./modules/feedback"

  deployment     = local.deployment
  package        = module.artefacts.functions["feedback"]
  layer_arns     = module.artefacts.layer_arns
  log            = var.log
  settings       = var.feedback
  queue_settings = var.feedback_queue
  emulated       = var.emulated

  configuration_set = {
    name = module.mail.configuration_set
    arn  = module.mail.configuration_set_arn
  }

  environment_variables = {
    CAMPAIGNS_TABLE       = module.store.campaigns_table
    RECIPIENTS_TABLE      = module.store.recipients_table
    KEYS_SECRET_NAME      = module.store.keys_secret_name
    SES_CONFIGURATION_SET = module.mail.configuration_set
  }

  # It deletes a suppression that a later event takes back.
  policies = {
    campaigns-update  = module.store.policies["campaigns_update"]
    recipients-get    = module.store.policies["recipients_get"]
    recipients-put    = module.store.policies["recipients_put"]
    recipients-update = module.store.policies["recipients_update"]
    recipients-delete = module.store.policies["recipients_delete"]
    keys-read         = module.store.policies["keys_read"]
  }
}

module "schedule" {
  source = "./modules/schedule"

  deployment = local.deployment
  package    = module.artefacts.functions["sweep"]
  layer_arns = module.artefacts.layer_arns
  log        = { level = var.log.level, retention_days = var.sweep.log_retention_days }
  settings   = var.sweep
  emulated   = var.emulated

  dispatch_send_policy_json = module.dispatch_queue.send_policy_json

  environment_variables = {
    CAMPAIGNS_TABLE       = module.store.campaigns_table
    RECIPIENTS_TABLE      = module.store.recipients_table
    EMAIL_QUEUE_URL       = module.email_queue.url
    DISPATCH_QUEUE_URL    = module.dispatch_queue.url
    FEEDBACK_QUEUE_URL    = module.feedback.queue_url
    FEEDBACK_DLQ_URL      = module.feedback.dead_letter_url
    KEYS_SECRET_NAME      = module.store.keys_secret_name
    SES_CONFIGURATION_SET = module.mail.configuration_set
    FAIR_QUEUE            = tostring(var.message_group_fairness)
    RATE_SAFETY_FACTOR    = tostring(var.rate_safety_factor)

    REPUTATION = jsonencode({
      bounce_pause    = var.reputation.bounce.pause
      complaint_pause = var.reputation.complaint.pause
      minimum         = var.reputation.minimum_volume
    })
  }

  policies = {
    campaigns-get               = module.store.policies["campaigns_get"]
    campaigns-query             = module.store.policies["campaigns_query"]
    campaigns-write             = module.store.policies["campaigns_write"]
    campaigns-check             = module.store.policies["campaigns_check"]
    campaigns-delete            = module.store.policies["campaigns_delete"]
    recipients-get              = module.store.policies["recipients_get"]
    recipients-query            = module.store.policies["recipients_query"]
    recipients-due              = module.store.policies["recipients_due"]
    recipients-update           = module.store.policies["recipients_update"]
    dispatch-send               = module.dispatch_queue.send_policy_json
    email-send                  = module.email_queue.send_policy_json
    email-watch                 = module.email_queue.watch_policy_json
    feedback-watch              = module.feedback.watch_policy_json
    feedback-dead-letters-watch = module.feedback.dead_letters_watch_policy_json
    account-read                = module.mail.account_read_policy_json
  }
}

module "tasks" {
  source = "./modules/tasks"

  deployment   = local.deployment
  package      = module.artefacts.functions["task_processor"]
  layer_arns   = concat([module.artefacts.imaging_layer_arn], module.artefacts.layer_arns)
  log          = var.log
  settings     = var.task_processor
  queues       = var.task_queues
  periodic     = var.periodic_tasks
  buckets      = var.task_buckets
  files        = var.task_files
  protect_data = var.protect_data
  emulated     = var.emulated

  environment_variables = {
    DEFAULT_FROM_EMAIL    = var.default_from_email
    KEYS_SECRET_NAME      = module.store.keys_secret_name
    MAIL_SECRET_NAME      = module.mail.secret_name
    RECIPIENTS_TABLE      = module.store.recipients_table
    SES_CONFIGURATION_SET = module.mail.configuration_set

    SENDMILL_TASK_EMAIL_SERVICE = var.task_email_service
  }

  policies = merge({
    suppressions-read = module.store.policies["suppressions_read"]
    keys-read         = module.store.policies["keys_read"]
    mail-send         = module.mail.send_policy_json
    mail-send-raw     = module.mail.send_raw_policy_json
  }, var.task_email_service == "smtp" ? { mail-secret-read = module.mail.secret_read_policy_json } : {})
}

module "monitoring" {
  source = "./modules/monitoring"

  deployment = local.deployment
  settings   = var.monitoring
  emulated   = var.emulated

  functions = {
    api             = { name = module.api.function_name, timeout_seconds = var.api.timeout_seconds }
    import_contacts = { name = module.import_contacts.function_name, timeout_seconds = var.import_contacts.timeout_seconds }
    dispatch        = { name = module.dispatch.function_name, timeout_seconds = var.dispatch.timeout_seconds }
    email_worker    = { name = module.email_worker.function_name, timeout_seconds = var.email_worker.timeout_seconds }
    feedback        = { name = module.feedback.function_name, timeout_seconds = var.feedback.timeout_seconds }
    sweep           = { name = module.schedule.function_name, timeout_seconds = var.sweep.timeout_seconds }
    task_processor  = { name = module.tasks.function_name, timeout_seconds = var.task_processor.timeout_seconds }
  }

  # Feedback is what the sweep goes by when it settles an unknown recipient, so it may wait least.
  queues = merge(module.tasks.watched_queues, {
    import = {
      name             = module.import_queue.name
      dead_letter_name = module.import_queue.dead_letter_name
      age_seconds      = { warning = 900, critical = 3600 }
    }
    dispatch = {
      name             = module.dispatch_queue.name
      dead_letter_name = module.dispatch_queue.dead_letter_name
      age_seconds      = { warning = 900, critical = 3600 }
    }
    bulk-email = {
      name             = module.email_queue.name
      dead_letter_name = module.email_queue.dead_letter_name
      age_seconds      = { warning = 900, critical = 3600 }
    }
    feedback = {
      name             = module.feedback.queue_name
      dead_letter_name = module.feedback.dead_letter_name
      age_seconds      = { warning = 120, critical = 600 }
    }
  })

  dead_letter_names   = { schedule = module.schedule.dead_letter_name, tasks-schedule = module.tasks.schedule_dead_letter_name }
  tables              = { campaigns = module.store.campaigns_table, recipients = module.store.recipients_table }
  api_id              = module.api.id
  feedback_topic_name = module.feedback.topic_name
}
