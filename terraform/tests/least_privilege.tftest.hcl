# Each function is granted exactly these permissions; the next file says what each permission allows.
# Marks stand for the permissions, because their documents name ARNs that a plan does not know yet.

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
    campaigns_table              = "campaigns"
    recipients_table             = "recipients"
    contacts_bucket              = "contacts"
    keys_secret_name             = "keys"
    campaigns_read_policy_json   = "{\"grant\": \"campaigns_read\"}"
    campaigns_write_policy_json  = "{\"grant\": \"campaigns_write\"}"
    recipients_read_policy_json  = "{\"grant\": \"recipients_read\"}"
    recipients_write_policy_json = "{\"grant\": \"recipients_write\"}"
    lists_read_policy_json       = "{\"grant\": \"lists_read\"}"
    lists_write_policy_json      = "{\"grant\": \"lists_write\"}"
    keys_read_policy_json        = "{\"grant\": \"keys_read\"}"
  }
}

override_module {
  target          = module.mail
  override_during = plan
  outputs = {
    configuration_set       = "set"
    secret_name             = "smtp"
    dkim_tokens             = []
    send_policy_json        = "{\"grant\": \"mail_send\"}"
    secret_read_policy_json = "{\"grant\": \"mail_secret_read\"}"
  }
}

override_module {
  target          = module.dispatch_queue
  override_during = plan
  outputs = {
    url              = "https://sqs/dispatch"
    dead_letter_url  = "https://sqs/dispatch-dlq"
    send_policy_json = "{\"grant\": \"dispatch_send\"}"
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
    url              = "https://sqs/email"
    dead_letter_url  = "https://sqs/email-dlq"
    send_policy_json = "{\"grant\": \"email_send\"}"
    source = {
      arn                        = "arn:aws:sqs:us-east-1:111111111111:email"
      consume_policy_json        = "{\"grant\": \"email_consume\"}"
      visibility_timeout_seconds = 900
    }
  }
}

run "grants" {
  command = plan

  assert {
    condition = toset([for name, policy in module.api.policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "campaigns_read",
      "campaigns_write",
      "dispatch_send",
      "keys_read",
      "lists_read",
      "lists_write",
      "recipients_read",
    ])
    error_message = "api is granted something else: ${join(", ", sort(keys(module.api.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.dispatch.policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "campaigns_read",
      "campaigns_write",
      "dispatch_consume",
      "dispatch_send",
      "email_send",
      "keys_read",
      "lists_read",
      "recipients_read",
      "recipients_write",
    ])
    error_message = "dispatch is granted something else: ${join(", ", sort(keys(module.dispatch.policies)))}."
  }

  assert {
    condition = toset([for name, policy in module.email_worker.policies : jsondecode(policy).grant if name != "runtime"]) == toset([
      "campaigns_read",
      "campaigns_write",
      "email_consume",
      "keys_read",
      "mail_secret_read",
      "mail_send",
      "recipients_read",
      "recipients_write",
    ])
    error_message = "email_worker is granted something else: ${join(", ", sort(keys(module.email_worker.policies)))}."
  }
}
