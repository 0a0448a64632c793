# Each function is granted exactly these permissions; the next file says what each permission allows.
# Marks stand for the permissions, because their documents name ARNs that a plan does not know yet; the two of
# modules/schedule stand under their own names.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111111111111" }
}

override_module {
  target          = module.store
  override_during = plan
  outputs = {
    campaigns_table  = "campaigns"
    recipients_table = "recipients"
    contacts_bucket  = "contacts"
    keys_secret_name = "keys"
    policies = {
      campaigns_get     = "{\"grant\": \"campaigns_get\"}"
      campaigns_query   = "{\"grant\": \"campaigns_query\"}"
      campaigns_list    = "{\"grant\": \"campaigns_list\"}"
      campaigns_write   = "{\"grant\": \"campaigns_write\"}"
      campaigns_update  = "{\"grant\": \"campaigns_update\"}"
      campaigns_check   = "{\"grant\": \"campaigns_check\"}"
      campaigns_delete  = "{\"grant\": \"campaigns_delete\"}"
      recipients_get    = "{\"grant\": \"recipients_get\"}"
      recipients_query  = "{\"grant\": \"recipients_query\"}"
      recipients_due    = "{\"grant\": \"recipients_due\"}"
      recipients_put    = "{\"grant\": \"recipients_put\"}"
      recipients_update = "{\"grant\": \"recipients_update\"}"
      recipients_delete = "{\"grant\": \"recipients_delete\"}"
      suppressions_read = "{\"grant\": \"suppressions_read\"}"
      lists_read        = "{\"grant\": \"lists_read\"}"
      lists_write       = "{\"grant\": \"lists_write\"}"
      lists_delete      = "{\"grant\": \"lists_delete\"}"
      contacts_erase    = "{\"grant\": \"contacts_erase\"}"
      uploads_read      = "{\"grant\": \"uploads_read\"}"
      uploads_write     = "{\"grant\": \"uploads_write\"}"
      uploads_delete    = "{\"grant\": \"uploads_delete\"}"
      contacts_find     = "{\"grant\": \"contacts_find\"}"
      keys_read         = "{\"grant\": \"keys_read\"}"
    }
  }
}

override_module {
  target          = module.mail
  override_during = plan
  outputs = {
    configuration_set           = "set"
    configuration_set_arn       = "arn:aws:ses:us-east-1:111111111111:configuration-set/set"
    secret_name                 = "smtp"
    dkim_tokens                 = []
    dns_records                 = []
    send_policy_json            = "{\"grant\": \"mail_send\"}"
    send_raw_policy_json        = "{\"grant\": \"mail_send_raw\"}"
    account_read_policy_json    = "{\"grant\": \"account_read\"}"
    identities_read_policy_json = "{\"grant\": \"identities_read\"}"
    secret_read_policy_json     = "{\"grant\": \"mail_secret_read\"}"
  }
}

override_module {
  target          = module.import_queue
  override_during = plan
  outputs = {
    name                           = "import"
    dead_letter_name               = "import-dlq"
    url                            = "https://sqs/import"
    arn                            = "arn:aws:sqs:us-east-1:111111111111:import"
    dead_letter_url                = "https://sqs/import-dlq"
    dead_letter_arn                = "arn:aws:sqs:us-east-1:111111111111:import-dlq"
    send_policy_json               = "{\"grant\": \"import_send\"}"
    watch_policy_json              = "{\"grant\": \"import_watch\"}"
    dead_letters_watch_policy_json = "{\"grant\": \"import_dead_letters_watch\"}"
    redrive_policy_json            = "{\"grant\": \"import_redrive\"}"
    source = {
      arn                        = "arn:aws:sqs:us-east-1:111111111111:import"
      consume_policy_json        = "{\"grant\": \"import_consume\"}"
      visibility_timeout_seconds = 900
    }
  }
}

override_module {
  target          = module.dispatch_queue
  override_during = plan
  outputs = {
    name                           = "dispatch"
    dead_letter_name               = "dispatch-dlq"
    url                            = "https://sqs/dispatch"
    arn                            = "arn:aws:sqs:us-east-1:111111111111:dispatch"
    dead_letter_url                = "https://sqs/dispatch-dlq"
    dead_letter_arn                = "arn:aws:sqs:us-east-1:111111111111:dispatch-dlq"
    send_policy_json               = "{\"grant\": \"dispatch_send\"}"
    watch_policy_json              = "{\"grant\": \"dispatch_watch\"}"
    dead_letters_watch_policy_json = "{\"grant\": \"dispatch_dead_letters_watch\"}"
    redrive_policy_json            = "{\"grant\": \"dispatch_redrive\"}"
    source = {
      arn                        = "arn:aws:sqs:us-east-1:111111111111:dispatch"
      consume_policy_json        = "{\"grant\": \"dispatch_consume\"}"
      visibility_timeout_seconds = 900
    }
  }
}

override_module {
  target          = module.email_queue
  override_during = plan
  outputs = {
    name                           = "email"
    dead_letter_name               = "email-dlq"
    url                            = "https://sqs/email"
    arn                            = "arn:aws:sqs:us-east-1:111111111111:email"
    dead_letter_url                = "https://sqs/email-dlq"
    dead_letter_arn                = "arn:aws:sqs:us-east-1:111111111111:email-dlq"
    send_policy_json               = "{\"grant\": \"email_send\"}"
    watch_policy_json              = "{\"grant\": \"email_watch\"}"
    dead_letters_watch_policy_json = "{\"grant\": \"email_dead_letters_watch\"}"
    redrive_policy_json            = "{\"grant\": \"email_redrive\"}"
    source = {
      arn                        = "arn:aws:sqs:us-east-1:111111111111:email"
      consume_policy_json        = "{\"grant\": \"email_consume\"}"
      visibility_timeout_seconds = 900
    }
  }
}

override_module {
  target          = module.feedback.module.queue
  override_during = plan
  outputs = {
    name                           = "feedback"
    dead_letter_name               = "feedback-dlq"
    url                            = "https://sqs/feedback"
    arn                            = "arn:aws:sqs:us-east-1:111111111111:feedback"
    dead_letter_url                = "https://sqs/feedback-dlq"
    dead_letter_arn                = "arn:aws:sqs:us-east-1:111111111111:feedback-dlq"
    send_policy_json               = "{\"grant\": \"feedback_send\"}"
    watch_policy_json              = "{\"grant\": \"feedback_watch\"}"
    dead_letters_watch_policy_json = "{\"grant\": \"feedback_dead_letters_watch\"}"
    redrive_policy_json            = "{\"grant\": \"feedback_redrive\"}"
    source = {
      arn                        = "arn:aws:sqs:us-east-1:111111111111:feedback"
      consume_policy_json        = "{\"grant\": \"feedback_consume\"}"
      visibility_timeout_seconds = 900
    }
  }
}

run "grants" {
  command = plan

  assert {
    condition = toset([
      for name, policy in module.api.policies :
      contains(["schedules-manage", "tasks-list", "tasks-redrive", "tasks-watch"], name) ? name : jsondecode(policy).grant if name != "runtime"
      ]) == toset([
      "campaigns_delete",
      "campaigns_get",
      "campaigns_list",
      "campaigns_query",
      "campaigns_write",
      "contacts_erase",
      "contacts_find",
      "dispatch_redrive",
      "dispatch_send",
      "dispatch_watch",
      "email_redrive",
      "email_watch",
      "feedback_redrive",
      "feedback_watch",
      "identities_read",
      "import_redrive",
      "import_send",
      "import_watch",
      "keys_read",
      "lists_delete",
      "lists_read",
      "lists_write",
      "mail_secret_read",
      "mail_send",
      "recipients_delete",
      "recipients_get",
      "recipients_put",
      "recipients_query",
      "recipients_update",
      "schedules-manage",
      "tasks-list",
      "tasks-redrive",
      "tasks-watch",
      "uploads_read",
      "uploads_write",
    ])
    error_message = "api is granted something else: ${join(", ", sort(keys(module.api.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.import_contacts.policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "campaigns_get",
      "campaigns_write",
      "contacts_find",
      "import_consume",
      "import_send",
      "lists_delete",
      "lists_read",
      "lists_write",
      "uploads_delete",
      "uploads_read",
      "uploads_write",
    ])
    error_message = "import_contacts is granted something else: ${join(", ", sort(keys(module.import_contacts.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.dispatch.policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "campaigns_get",
      "campaigns_query",
      "campaigns_write",
      "dispatch_consume",
      "dispatch_send",
      "email_send",
      "keys_read",
      "lists_read",
      "recipients_put",
      "recipients_query",
      "recipients_update",
    ])
    error_message = "dispatch is granted something else: ${join(", ", sort(keys(module.dispatch.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.email_worker.policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "account_read",
      "campaigns_get",
      "campaigns_write",
      "email_consume",
      "keys_read",
      "mail_secret_read",
      "mail_send",
      "recipients_get",
      "recipients_put",
      "recipients_update",
    ])
    error_message = "email_worker is granted something else: ${join(", ", sort(keys(module.email_worker.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.feedback.policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "campaigns_update",
      "feedback_consume",
      "keys_read",
      "recipients_delete",
      "recipients_get",
      "recipients_put",
      "recipients_update",
    ])
    error_message = "feedback is granted something else: ${join(", ", sort(keys(module.feedback.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.schedule.policies : name == "failures-send" ? name : jsondecode(policy).grant if name != "runtime"]) == toset([
      "account_read",
      "campaigns_check",
      "campaigns_delete",
      "campaigns_get",
      "campaigns_query",
      "campaigns_write",
      "dispatch_send",
      "email_send",
      "email_watch",
      "failures-send",
      "feedback_dead_letters_watch",
      "feedback_watch",
      "recipients_due",
      "recipients_get",
      "recipients_query",
      "recipients_update",
    ])
    error_message = "sweep is granted something else: ${join(", ", sort(keys(module.schedule.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.schedule.campaign_role_policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "dispatch_send",
    ])
    error_message = "A campaign's schedule is granted something else: ${join(", ", sort(keys(module.schedule.campaign_role_policies)))}."
  }

  # Its own five stand under their names; tasks_keep_their_promises says what each allows.
  assert {
    condition = toset([
      for name, policy in module.tasks.policies :
      contains(["dead-letters-send", "files", "queues-consume", "queues-send", "receipts-write"], name) ? name : jsondecode(policy).grant if name != "runtime"
      ]) == toset([
      "dead-letters-send",
      "files",
      "keys_read",
      "mail_send",
      "mail_send_raw",
      "queues-consume",
      "queues-send",
      "receipts-write",
      "suppressions_read",
    ])
    error_message = "task_processor is granted something else: ${join(", ", sort(keys(module.tasks.policies)))}."
  }
}
