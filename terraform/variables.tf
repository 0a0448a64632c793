# Values that differ between environments stand in env/<environment>.tfvars; every default below is the
# value production should have.

# --- Where -----------------------------------------------------------------------------------------------

variable "environment" {
  type        = string
  description = "Name of the deployment: it names every resource, and it is the workspace its state is kept in."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must be 2 to 16 lower-case letters, digits or hyphens (got \"${var.environment}\")."
  }

  # The one place that looks at the workspace: values of one environment must never reach another's state.
  validation {
    condition     = var.environment == terraform.workspace
    error_message = "environment is \"${var.environment}\" but the workspace is \"${terraform.workspace}\": run it as `make plan ENV=${var.environment}`, which selects both."
  }
}

variable "aws_region" {
  type        = string
  description = "AWS region of everything; SES identities, quotas and sandboxes are regional too."
  nullable    = false
}

variable "partition" {
  type        = string
  description = "Partition the environment belongs in; a plan with credentials of another one is refused."
  nullable    = false
  default     = "aws"

  validation {
    condition     = contains(["aws", "aws-us-gov"], var.partition)
    error_message = "partition must be aws or aws-us-gov (got \"${var.partition}\")."
  }
}

variable "allowed_account_ids" {
  type        = set(string)
  description = "Accounts this environment may be deployed to; null allows any. Set it once the account is known."
  default     = null

  validation {
    condition     = alltrue([for id in coalesce(var.allowed_account_ids, []) : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids must be numbers of 12 digits (got ${join(", ", coalesce(var.allowed_account_ids, []))})."
  }
}

variable "use_fips_endpoints" {
  type        = bool
  description = "Whether Terraform and the functions talk to the FIPS endpoints of the services that have one; GovCloud wants it, the emulator has none."
  nullable    = false
  default     = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator only: leaves out what it cannot make, each with its reason where it is left out."
  nullable    = false
  default     = false
}

variable "owner" {
  type        = string
  description = "Team that answers for this deployment; a tag on every resource, so that a bill or an alarm finds it."
  nullable    = false
}

# --- What ------------------------------------------------------------------------------------------------

variable "artefacts_dir" {
  type        = string
  description = "Folder of the built zips and their artefacts.json, relative to this one; the laptop has a build of its own."
  nullable    = false
  default     = "../build/lambda"

  validation {
    condition     = fileexists("${var.artefacts_dir}/artefacts.json")
    error_message = "There is no ${var.artefacts_dir}/artefacts.json (seen from terraform/): run `make build` first."
  }
}

variable "artefact_bucket" {
  type        = string
  description = "Bucket to which `make publish` uploads the zips, made by `make bootstrap`; null deploys them from artefacts_dir, which then must be there."
  default     = null
}

variable "publish_versions" {
  type        = bool
  description = "Whether each change of a function is kept as a version; false saves seconds a function where nobody goes back."
  nullable    = false
  default     = true
}

variable "code_signing_profile_version_arn" {
  type        = string
  description = "Output of `make bootstrap` with code_signing: functions then refuse code that it did not sign; null for none."
  default     = null

  validation {
    condition     = var.code_signing_profile_version_arn == null || (var.artefact_bucket != null && !var.emulated)
    error_message = "Signed code needs an artefact_bucket, where it is signed, and no emulator can prove it."
  }
}

variable "log" {
  type = object({
    level          = optional(string, "INFO")
    retention_days = optional(number, 400)
  })
  description = "Level the functions log at, and days their logs are kept (400 outlives a yearly audit)."
  nullable    = false
  default     = {}

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log.level)
    error_message = "log.level must be DEBUG, INFO, WARNING or ERROR (got \"${var.log.level}\")."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log.retention_days)
    error_message = "log.retention_days must be a period CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096 or 1827 (got ${var.log.retention_days})."
  }
}

variable "vpc" {
  type = object({
    subnet_ids         = set(string)
    security_group_ids = set(string)
  })
  description = "Network the functions stand in; null leaves them in Lambda's own, which is right unless a rule or a private SMTP server asks for it. Needs a way to AWS: docs/security.md lists the endpoints."
  default     = null

  validation {
    condition     = var.vpc == null || try(length(var.vpc.subnet_ids) >= 2 && length(var.vpc.security_group_ids) >= 1, false)
    error_message = "vpc needs subnets in 2 zones at least, and a security group (got ${jsonencode(var.vpc)})."
  }
}

variable "sign_in_web_acl_arn" {
  type        = string
  description = "Regional web ACL of AWS WAF before the sign-in of our own user pool; null for none. An HTTP API cannot have one: docs/security.md says what stands before it."
  default     = null
}

# --- Data ------------------------------------------------------------------------------------------------

variable "customer_managed_keys" {
  type        = bool
  description = "Whether tables, lists, secrets, queues and logs are encrypted with KMS keys of the account, about 3 dollars a month and 0.03 for 10,000 calls; false leaves it to keys of AWS, which nobody can look at or take away."
  nullable    = false
  default     = true
}

variable "protect_data" {
  type        = bool
  description = "Whether tables, bucket and user pool refuse to be deleted; false lets `make destroy` take the data along."
  nullable    = false
  default     = true
}

variable "list_retention_days" {
  type        = number
  description = "Days an uploaded contact list is kept; shorten it where a shorter retention of addresses is promised."
  nullable    = false
  default     = 396

  validation {
    condition     = var.list_retention_days >= 1 && var.list_retention_days <= 3650
    error_message = "list_retention_days must be 1 to 3650 (got ${var.list_retention_days})."
  }
}

variable "secret_recovery_days" {
  type        = number
  description = "Days a deleted secret can be recovered; 0 deletes at once, so that its name is free again on an emulator."
  nullable    = false
  default     = 30

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0, or 7 to 30 (got ${var.secret_recovery_days})."
  }
}

# --- Mail ------------------------------------------------------------------------------------------------

variable "mail_domain" {
  type        = string
  description = "Domain the mails come from; it becomes the SES identity and the only one the worker may send as."
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.mail_domain))
    error_message = "mail_domain must be a domain name in lower case (got \"${var.mail_domain}\")."
  }
}

variable "default_from_email" {
  type        = string
  description = "Sender of a campaign that names none; an address of mail_domain."
  nullable    = false
}

variable "mail_secret_name" {
  type        = string
  description = "Name of the secret for SMTP credentials; change it where an organisation names its secrets by rule, and for a second environment in one account and region."
  nullable    = false
  default     = "email-api-credentials"

  validation {
    condition     = can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", var.mail_secret_name))
    error_message = "mail_secret_name must be 1 to 512 letters, digits or /_+=.@- (got \"${var.mail_secret_name}\")."
  }
}

# --- Sending rules ---------------------------------------------------------------------------------------

variable "message_group_fairness" {
  type        = bool
  description = "Whether a message carries its campaign as message group, so that a small campaign is not stuck behind a large one; turn it off where the queue is read by something that sorts by group."
  nullable    = false
  default     = true
}

variable "unknown_policy" {
  type        = string
  description = "What a campaign that says nothing does with a mail that may have gone out: auto asks the events, hold asks a person, resend risks a second mail."
  nullable    = false
  default     = "auto"

  validation {
    condition     = contains(["auto", "hold", "resend"], var.unknown_policy)
    error_message = "unknown_policy must be auto, hold or resend (got \"${var.unknown_policy}\")."
  }
}

variable "rate_safety_factor" {
  type        = number
  description = "Share of the account's sending rate and daily quota that Sendmill uses; lower it where others send from the same account."
  nullable    = false
  default     = 0.9

  validation {
    condition     = var.rate_safety_factor >= 0.01 && var.rate_safety_factor <= 1
    error_message = "rate_safety_factor must be 0.01 to 1 (got ${var.rate_safety_factor})."
  }
}

# SES puts an account under review at 5 % bounces or 0.1 % complaints:
# https://docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html
variable "reputation" {
  type = object({
    bounce = optional(object({
      warn  = optional(number, 0.02)
      pause = optional(number, 0.04)
    }), {})
    complaint = optional(object({
      warn  = optional(number, 0.0004)
      pause = optional(number, 0.0008)
    }), {})
    minimum_volume = optional(number, 500)
  })
  description = "Shares of bounces and complaints at which a campaign is paused once minimum_volume mails went out, and an alarm warns before; lower them for an account under review."
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for limit in [var.reputation.bounce, var.reputation.complaint] : limit.warn > 0 && limit.pause <= 1])
    error_message = "reputation.bounce and .complaint must be shares above 0 and up to 1 (got ${jsonencode(var.reputation)})."
  }

  validation {
    condition     = alltrue([for limit in [var.reputation.bounce, var.reputation.complaint] : limit.warn < limit.pause])
    error_message = "reputation must warn before it pauses (got ${jsonencode(var.reputation)})."
  }

  validation {
    condition     = var.reputation.minimum_volume >= 1 && floor(var.reputation.minimum_volume) == var.reputation.minimum_volume
    error_message = "reputation.minimum_volume must be a whole number from 1 (got ${var.reputation.minimum_volume})."
  }
}

# --- Sign-in and API -------------------------------------------------------------------------------------

variable "jwt_issuer" {
  type        = string
  description = "URL of the OpenID Connect issuer whose tokens the API trusts; null makes a Cognito user pool."
  default     = null

  validation {
    condition     = var.jwt_issuer == null || can(regex("^https://[^/]+", var.jwt_issuer))
    error_message = "jwt_issuer must be an https URL (got \"${coalesce(var.jwt_issuer, "null")}\")."
  }
}

variable "jwt_audience" {
  type        = string
  description = "Audience (client id) a token must name; goes together with jwt_issuer, null for Cognito."
  default     = null
}

variable "roles_claim" {
  type        = string
  description = "Claim of an access token that lists its user's groups; an issuer of your own may call it roles or groups."
  nullable    = false
  default     = "cognito:groups"

  validation {
    condition     = trimspace(var.roles_claim) != ""
    error_message = "roles_claim must name a claim (got \"${var.roles_claim}\")."
  }
}

variable "oidc" {
  type = object({
    authorization_endpoint = optional(string, "")
    token_endpoint         = optional(string, "")
    logout_endpoint        = optional(string, "")
    client_id              = optional(string, "")
    scope                  = optional(string, "openid email profile")
  })
  description = "How the console signs people in with the issuer of jwt_issuer: its endpoints and a public client; Cognito's are known."
  nullable    = false
  default     = {}
}

variable "programs" {
  type        = map(string)
  description = "Programs that ask the API with a client's credentials, each by a short name with its role."
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for role in values(var.programs) : contains(["viewer", "editor", "sender", "admin"], role)])
    error_message = "programs must have the role viewer, editor, sender or admin (got ${join(", ", values(var.programs))})."
  }

  validation {
    condition     = alltrue([for name in keys(var.programs) : can(regex("^[a-z][a-z0-9-]{0,31}$", name))])
    error_message = "programs must be named by lower-case letters, digits and hyphens (got ${join(", ", keys(var.programs))})."
  }
}

variable "sign_in_domain_prefix" {
  type        = string
  description = "First part of the sign-in page's address, unique in the region; null takes sendmill-<environment>-<account>."
  default     = null

  validation {
    condition     = var.sign_in_domain_prefix == null || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.sign_in_domain_prefix))
    error_message = "sign_in_domain_prefix must be lower-case letters, digits and hyphens (got \"${coalesce(var.sign_in_domain_prefix, "null")}\")."
  }
}

variable "console_urls" {
  type        = set(string)
  description = "Further addresses of the console that sign-in may come back to, such as a domain of your own; each ends in a slash."
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for url in var.console_urls : can(regex("^(https://[^ ]+|http://localhost(:[0-9]+)?)/$", url))])
    error_message = "console_urls must be https, or http://localhost, and end in a slash (got ${join(", ", var.console_urls)})."
  }
}

variable "emulator_url" {
  type        = string
  description = "Address of the emulator, given by scripts/terraform.sh; empty on AWS."
  nullable    = false
  default     = ""

  validation {
    condition     = var.emulated || var.emulator_url == ""
    error_message = "emulator_url must be empty on AWS (got \"${var.emulator_url}\")."
  }
}

variable "approval_over_recipients" {
  type        = number
  description = "A campaign to more recipients than this wants a second person's approval before it starts; 0 never does."
  nullable    = false
  default     = 0

  validation {
    condition     = var.approval_over_recipients >= 0 && floor(var.approval_over_recipients) == var.approval_over_recipients
    error_message = "approval_over_recipients must be a whole number, 0 or more (got ${var.approval_over_recipients})."
  }
}

variable "api" {
  type = object({
    memory_mb       = optional(number, 512)
    timeout_seconds = optional(number, 28)
    rate_limit      = optional(number, 50)
    burst_limit     = optional(number, 100)
  })
  description = "Size of the API function, and the requests a second (rate, burst) the API lets through in all."
  nullable    = false
  default     = {}

  validation {
    condition     = var.api.memory_mb >= 128 && var.api.memory_mb <= 10240
    error_message = "api.memory_mb must be 128 to 10240 (got ${var.api.memory_mb})."
  }

  # An HTTP API gives up after 30 s; the function must answer before.
  validation {
    condition     = var.api.timeout_seconds >= 1 && var.api.timeout_seconds <= 29
    error_message = "api.timeout_seconds must be 1 to 29, below the 30 s of an HTTP API (got ${var.api.timeout_seconds})."
  }

  validation {
    condition     = var.api.rate_limit >= 1 && var.api.burst_limit >= var.api.rate_limit
    error_message = "api.burst_limit must be at least api.rate_limit, and that at least 1 (got burst ${var.api.burst_limit}, rate ${var.api.rate_limit})."
  }
}

# --- Queues and workers ----------------------------------------------------------------------------------
# The rules between a queue and its worker are preconditions in modules/queue and modules/worker.

variable "import_queue" {
  type = object({
    visibility_timeout_seconds = optional(number, 900)
    retention_days             = optional(number, 4)
    max_receive_count          = optional(number, 3)
    dead_letter_retention_days = optional(number, 14)
  })
  description = "Queue of uploaded files that are to be read into lists. Shorten the visibility timeout only together with import_contacts.timeout_seconds."
  nullable    = false
  default     = {}

  validation {
    condition     = var.import_queue.visibility_timeout_seconds >= 1 && var.import_queue.visibility_timeout_seconds <= 43200
    error_message = "import_queue.visibility_timeout_seconds must be 1 to 43200 (got ${var.import_queue.visibility_timeout_seconds})."
  }

  validation {
    condition     = alltrue([for days in [var.import_queue.retention_days, var.import_queue.dead_letter_retention_days] : days >= 1 && days <= 14])
    error_message = "import_queue.retention_days and dead_letter_retention_days must be 1 to 14 (got ${var.import_queue.retention_days} and ${var.import_queue.dead_letter_retention_days})."
  }

  validation {
    condition     = var.import_queue.max_receive_count >= 2 && var.import_queue.max_receive_count <= 1000
    error_message = "import_queue.max_receive_count must be 2 to 1000, so that one crash is not a dead letter (got ${var.import_queue.max_receive_count})."
  }
}

variable "import_contacts" {
  type = object({
    memory_mb               = optional(number, 512)
    timeout_seconds         = optional(number, 300)
    batch_size              = optional(number, 1)
    batching_window_seconds = optional(number, 0)
    maximum_concurrency     = optional(number, 2)
  })
  description = "Function that reads an upload into a list; its timeout says how often a large file is handed over to the next run, its concurrency how many files are read at once."
  nullable    = false
  default     = {}

  validation {
    condition     = var.import_contacts.memory_mb >= 128 && var.import_contacts.memory_mb <= 10240
    error_message = "import_contacts.memory_mb must be 128 to 10240 (got ${var.import_contacts.memory_mb})."
  }

  validation {
    condition     = var.import_contacts.timeout_seconds >= 60 && var.import_contacts.timeout_seconds <= 900
    error_message = "import_contacts.timeout_seconds must be 60 to 900, for a run hands over 25 s before its end (got ${var.import_contacts.timeout_seconds})."
  }

  validation {
    condition     = var.import_contacts.batch_size >= 1 && var.import_contacts.batch_size <= 10000
    error_message = "import_contacts.batch_size must be 1 to 10000 (got ${var.import_contacts.batch_size})."
  }

  validation {
    condition     = var.import_contacts.batching_window_seconds >= 0 && var.import_contacts.batching_window_seconds <= 300
    error_message = "import_contacts.batching_window_seconds must be 0 to 300 (got ${var.import_contacts.batching_window_seconds})."
  }

  validation {
    condition     = var.import_contacts.maximum_concurrency >= 2 && var.import_contacts.maximum_concurrency <= 1000
    error_message = "import_contacts.maximum_concurrency must be 2 to 1000 (got ${var.import_contacts.maximum_concurrency})."
  }
}

variable "dispatch_queue" {
  type = object({
    visibility_timeout_seconds = optional(number, 900)
    retention_days             = optional(number, 4)
    max_receive_count          = optional(number, 3)
    dead_letter_retention_days = optional(number, 14)
  })
  description = "Queue of fan-out work. Shorten the visibility timeout only together with dispatch.timeout_seconds."
  nullable    = false
  default     = {}

  validation {
    condition     = var.dispatch_queue.visibility_timeout_seconds >= 1 && var.dispatch_queue.visibility_timeout_seconds <= 43200
    error_message = "dispatch_queue.visibility_timeout_seconds must be 1 to 43200 (got ${var.dispatch_queue.visibility_timeout_seconds})."
  }

  validation {
    condition     = alltrue([for days in [var.dispatch_queue.retention_days, var.dispatch_queue.dead_letter_retention_days] : days >= 1 && days <= 14])
    error_message = "dispatch_queue.retention_days and dead_letter_retention_days must be 1 to 14 (got ${var.dispatch_queue.retention_days} and ${var.dispatch_queue.dead_letter_retention_days})."
  }

  validation {
    condition     = var.dispatch_queue.max_receive_count >= 2 && var.dispatch_queue.max_receive_count <= 1000
    error_message = "dispatch_queue.max_receive_count must be 2 to 1000, so that one crash is not a dead letter (got ${var.dispatch_queue.max_receive_count})."
  }
}

variable "dispatch" {
  type = object({
    memory_mb               = optional(number, 512)
    timeout_seconds         = optional(number, 300)
    batch_size              = optional(number, 1)
    batching_window_seconds = optional(number, 0)
    maximum_concurrency     = optional(number, 10)
  })
  description = "Function that writes a list into the ledger and onto the e-mail queue; its concurrency bounds how fast a campaign unfolds."
  nullable    = false
  default     = {}

  validation {
    condition     = var.dispatch.memory_mb >= 128 && var.dispatch.memory_mb <= 10240
    error_message = "dispatch.memory_mb must be 128 to 10240 (got ${var.dispatch.memory_mb})."
  }

  validation {
    condition     = var.dispatch.timeout_seconds >= 1 && var.dispatch.timeout_seconds <= 900
    error_message = "dispatch.timeout_seconds must be 1 to 900 (got ${var.dispatch.timeout_seconds})."
  }

  validation {
    condition     = var.dispatch.batch_size >= 1 && var.dispatch.batch_size <= 10000
    error_message = "dispatch.batch_size must be 1 to 10000 (got ${var.dispatch.batch_size})."
  }

  validation {
    condition     = var.dispatch.batching_window_seconds >= 0 && var.dispatch.batching_window_seconds <= 300
    error_message = "dispatch.batching_window_seconds must be 0 to 300 (got ${var.dispatch.batching_window_seconds})."
  }

  validation {
    condition     = var.dispatch.maximum_concurrency >= 2 && var.dispatch.maximum_concurrency <= 1000
    error_message = "dispatch.maximum_concurrency must be 2 to 1000 (got ${var.dispatch.maximum_concurrency})."
  }
}

variable "email_queue" {
  type = object({
    visibility_timeout_seconds = optional(number, 900)
    retention_days             = optional(number, 4)
    max_receive_count          = optional(number, 3)
    dead_letter_retention_days = optional(number, 14)
  })
  description = "Queue with one message a recipient. Shorten the visibility timeout only together with email_worker.timeout_seconds."
  nullable    = false
  default     = {}

  validation {
    condition     = var.email_queue.visibility_timeout_seconds >= 1 && var.email_queue.visibility_timeout_seconds <= 43200
    error_message = "email_queue.visibility_timeout_seconds must be 1 to 43200 (got ${var.email_queue.visibility_timeout_seconds})."
  }

  validation {
    condition     = alltrue([for days in [var.email_queue.retention_days, var.email_queue.dead_letter_retention_days] : days >= 1 && days <= 14])
    error_message = "email_queue.retention_days and dead_letter_retention_days must be 1 to 14 (got ${var.email_queue.retention_days} and ${var.email_queue.dead_letter_retention_days})."
  }

  validation {
    condition     = var.email_queue.max_receive_count >= 2 && var.email_queue.max_receive_count <= 1000
    error_message = "email_queue.max_receive_count must be 2 to 1000, so that one crash is not a dead letter (got ${var.email_queue.max_receive_count})."
  }
}

variable "email_worker" {
  type = object({
    memory_mb               = optional(number, 512)
    timeout_seconds         = optional(number, 300)
    batch_size              = optional(number, 10)
    batching_window_seconds = optional(number, 5)
    maximum_concurrency     = optional(number, 10)
  })
  description = "Function that mails. Its concurrency bounds how many wait for the account's sending rate: raise it with the SES quota."
  nullable    = false
  default     = {}

  validation {
    condition     = var.email_worker.memory_mb >= 128 && var.email_worker.memory_mb <= 10240
    error_message = "email_worker.memory_mb must be 128 to 10240 (got ${var.email_worker.memory_mb})."
  }

  validation {
    condition     = var.email_worker.timeout_seconds >= 1 && var.email_worker.timeout_seconds <= 900
    error_message = "email_worker.timeout_seconds must be 1 to 900 (got ${var.email_worker.timeout_seconds})."
  }

  validation {
    condition     = var.email_worker.batch_size >= 1 && var.email_worker.batch_size <= 10000
    error_message = "email_worker.batch_size must be 1 to 10000 (got ${var.email_worker.batch_size})."
  }

  validation {
    condition     = var.email_worker.batching_window_seconds >= 0 && var.email_worker.batching_window_seconds <= 300
    error_message = "email_worker.batching_window_seconds must be 0 to 300 (got ${var.email_worker.batching_window_seconds})."
  }

  validation {
    condition     = var.email_worker.maximum_concurrency >= 2 && var.email_worker.maximum_concurrency <= 1000
    error_message = "email_worker.maximum_concurrency must be 2 to 1000 (got ${var.email_worker.maximum_concurrency})."
  }
}

variable "feedback_queue" {
  type = object({
    visibility_timeout_seconds = optional(number, 360)
    retention_days             = optional(number, 13)
    max_receive_count          = optional(number, 8)
    dead_letter_retention_days = optional(number, 14)
  })
  description = "Queue of what SES says became of each mail. Shorten the visibility timeout only together with feedback.timeout_seconds."
  nullable    = false
  default     = {}

  validation {
    condition     = var.feedback_queue.visibility_timeout_seconds >= 1 && var.feedback_queue.visibility_timeout_seconds <= 43200
    error_message = "feedback_queue.visibility_timeout_seconds must be 1 to 43200 (got ${var.feedback_queue.visibility_timeout_seconds})."
  }

  validation {
    condition     = alltrue([for days in [var.feedback_queue.retention_days, var.feedback_queue.dead_letter_retention_days] : days >= 1 && days <= 14])
    error_message = "feedback_queue.retention_days and dead_letter_retention_days must be 1 to 14 (got ${var.feedback_queue.retention_days} and ${var.feedback_queue.dead_letter_retention_days})."
  }

  validation {
    condition     = var.feedback_queue.max_receive_count >= 2 && var.feedback_queue.max_receive_count <= 1000
    error_message = "feedback_queue.max_receive_count must be 2 to 1000, so that one crash is not a dead letter (got ${var.feedback_queue.max_receive_count})."
  }
}

variable "feedback" {
  type = object({
    memory_mb               = optional(number, 512)
    timeout_seconds         = optional(number, 60)
    batch_size              = optional(number, 10)
    batching_window_seconds = optional(number, 5)
    maximum_concurrency     = optional(number, 10)
  })
  description = "Function that records bounces, complaints and deliveries; raise its concurrency when events lag behind."
  nullable    = false
  default     = {}

  validation {
    condition     = var.feedback.memory_mb >= 128 && var.feedback.memory_mb <= 10240
    error_message = "feedback.memory_mb must be 128 to 10240 (got ${var.feedback.memory_mb})."
  }

  validation {
    condition     = var.feedback.timeout_seconds >= 1 && var.feedback.timeout_seconds <= 900
    error_message = "feedback.timeout_seconds must be 1 to 900 (got ${var.feedback.timeout_seconds})."
  }

  validation {
    condition     = var.feedback.batch_size >= 1 && var.feedback.batch_size <= 10000
    error_message = "feedback.batch_size must be 1 to 10000 (got ${var.feedback.batch_size})."
  }

  validation {
    condition     = var.feedback.batching_window_seconds >= 0 && var.feedback.batching_window_seconds <= 300
    error_message = "feedback.batching_window_seconds must be 0 to 300 (got ${var.feedback.batching_window_seconds})."
  }

  validation {
    condition     = var.feedback.maximum_concurrency >= 2 && var.feedback.maximum_concurrency <= 1000
    error_message = "feedback.maximum_concurrency must be 2 to 1000 (got ${var.feedback.maximum_concurrency})."
  }
}

variable "sweep" {
  type = object({
    memory_mb          = optional(number, 1769)
    timeout_seconds    = optional(number, 300)
    log_retention_days = optional(number, 30)
  })
  description = "Function that repairs every minute what was left behind; its log says much about nothing, so it is kept for a shorter time than others. Memory buys speed: a whole core counts the rows of a campaign of a million at its end within the timeout."
  nullable    = false
  default     = {}

  validation {
    condition     = var.sweep.memory_mb >= 128 && var.sweep.memory_mb <= 10240
    error_message = "sweep.memory_mb must be 128 to 10240 (got ${var.sweep.memory_mb})."
  }

  validation {
    condition     = var.sweep.timeout_seconds >= 10 && var.sweep.timeout_seconds <= 900
    error_message = "sweep.timeout_seconds must be 10 to 900 (got ${var.sweep.timeout_seconds})."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.sweep.log_retention_days)
    error_message = "sweep.log_retention_days must be a period CloudWatch Logs knows, as for log.retention_days (got ${var.sweep.log_retention_days})."
  }
}

# --- Background tasks ------------------------------------------------------------------------------------

variable "task_queues" {
  type = map(object({
    visibility_timeout_seconds = optional(number, 1800)
    retention_days             = optional(number, 14)
    max_receive_count          = optional(number, 20)
    dead_letter_retention_days = optional(number, 14)
    batch_size                 = optional(number, 10)
    batching_window_seconds    = optional(number, 5)
    maximum_concurrency        = optional(number, 10)
  }))
  description = "Queues of background tasks by name; add one (mail, files, reports) where long tasks hold up short ones, with a batch_size of 1 for long ones."
  nullable    = false
  default     = { tasks = {} }

  validation {
    condition     = contains(keys(var.task_queues), "tasks") && alltrue([for name in keys(var.task_queues) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "task_queues must hold one called tasks, and names of up to 20 lower-case letters, digits and hyphens (got ${join(", ", keys(var.task_queues))})."
  }

  validation {
    condition = alltrue([for queue in var.task_queues : (
      queue.visibility_timeout_seconds >= 1 && queue.visibility_timeout_seconds <= 43200
      && min(queue.retention_days, queue.dead_letter_retention_days) >= 1 && max(queue.retention_days, queue.dead_letter_retention_days) <= 14
    )])
    error_message = "task_queues: visibility_timeout_seconds must be 1 to 43200, retention_days and dead_letter_retention_days 1 to 14 (got ${jsonencode(var.task_queues)})."
  }

  validation {
    condition     = alltrue([for queue in var.task_queues : queue.max_receive_count >= 2 && queue.max_receive_count <= 1000])
    error_message = "task_queues: max_receive_count must be 2 to 1000, so that one crash is not a dead letter (got ${jsonencode(var.task_queues)})."
  }

  validation {
    condition = alltrue([for queue in var.task_queues : (
      queue.batch_size >= 1 && queue.batch_size <= 10000
      && queue.batching_window_seconds >= 0 && queue.batching_window_seconds <= 300
      && queue.maximum_concurrency >= 2 && queue.maximum_concurrency <= 1000
    )])
    error_message = "task_queues: batch_size must be 1 to 10000, batching_window_seconds 0 to 300, maximum_concurrency 2 to 1000 (got ${jsonencode(var.task_queues)})."
  }
}

variable "task_processor" {
  type = object({
    memory_mb       = optional(number, 1024)
    timeout_seconds = optional(number, 300)
    max_attempts    = optional(number, 3)
    backoff_seconds = optional(number, 30)
  })
  description = "Function that runs the tasks. backoff_seconds is the pause after a first failed attempt, doubled after each; a task may say otherwise for itself."
  nullable    = false
  default     = {}

  validation {
    condition     = var.task_processor.memory_mb >= 128 && var.task_processor.memory_mb <= 10240
    error_message = "task_processor.memory_mb must be 128 to 10240 (got ${var.task_processor.memory_mb})."
  }

  validation {
    condition     = var.task_processor.timeout_seconds >= 1 && var.task_processor.timeout_seconds <= 900
    error_message = "task_processor.timeout_seconds must be 1 to 900 (got ${var.task_processor.timeout_seconds})."
  }

  validation {
    condition     = var.task_processor.max_attempts >= 1 && var.task_processor.max_attempts <= 100
    error_message = "task_processor.max_attempts must be 1 to 100 (got ${var.task_processor.max_attempts})."
  }

  validation {
    condition     = var.task_processor.backoff_seconds >= 0 && var.task_processor.backoff_seconds <= 900
    error_message = "task_processor.backoff_seconds must be 0 to 900 (got ${var.task_processor.backoff_seconds})."
  }
}

variable "periodic_tasks" {
  type = map(object({
    task                = string
    schedule            = string
    timezone            = optional(string, "UTC")
    queue               = optional(string, "tasks")
    kwargs_json         = optional(string, "{}")
    enabled             = optional(bool, true)
    maximum_age_seconds = optional(number, 3600)
  }))
  description = "Tasks that run by the clock: name = { task, schedule as rate(...), cron(...) or at(...) }. A tick that could not be queued for maximum_age_seconds is dropped into a dead-letter queue."
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for name, task in var.periodic_tasks : can(regex("^[0-9A-Za-z_.-]{1,64}$", name)) && can(regex("^(rate|cron|at)\\(.+\\)$", task.schedule))])
    error_message = "periodic_tasks must be named by up to 64 letters, digits, _ . or -, with a schedule such as rate(1 hour) (got ${join(", ", [for name, task in var.periodic_tasks : "${name}: ${task.schedule}"])})."
  }

  validation {
    condition     = alltrue([for task in var.periodic_tasks : can(keys(jsondecode(task.kwargs_json)))])
    error_message = "periodic_tasks: kwargs_json must be a JSON object (got ${join(", ", [for task in var.periodic_tasks : task.kwargs_json])})."
  }

  validation {
    condition     = alltrue([for task in var.periodic_tasks : contains(keys(var.task_queues), task.queue)])
    error_message = "periodic_tasks: queue must be one of task_queues (got ${join(", ", [for task in var.periodic_tasks : task.queue])})."
  }
}

variable "task_buckets" {
  type        = map(set(string))
  description = "Buckets of the application that its tasks use beside their own, by name, each with what they do there: read, write, delete."
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for name, verbs in var.task_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name)) && length(verbs) > 0 && length(setsubtract(verbs, ["read", "write", "delete"])) == 0])
    error_message = "task_buckets must be names of buckets with some of read, write and delete (got ${jsonencode(var.task_buckets)})."
  }
}

variable "task_files" {
  type = object({
    export_days  = optional(number, 30)
    link_minutes = optional(number, 5)
  })
  description = "Days a generated report is kept, and minutes its mailed link opens it. Anybody who holds the link can; it dies with the function's own credentials too, so an hour is the most that can be promised."
  nullable    = false
  default     = {}

  validation {
    condition     = var.task_files.export_days >= 1 && var.task_files.export_days <= 3650
    error_message = "task_files.export_days must be 1 to 3650 (got ${var.task_files.export_days})."
  }

  validation {
    condition     = var.task_files.link_minutes >= 1 && var.task_files.link_minutes <= 60
    error_message = "task_files.link_minutes must be 1 to 60 (got ${var.task_files.link_minutes})."
  }
}

variable "task_email_service" {
  type        = string
  description = "Through what notifications leave: ses, or smtp with the server in the secret mail_secret_name."
  nullable    = false
  default     = "ses"

  validation {
    condition     = contains(["ses", "smtp"], var.task_email_service)
    error_message = "task_email_service must be ses or smtp (got \"${var.task_email_service}\")."
  }
}

# --- Watching --------------------------------------------------------------------------------------------

variable "monitoring" {
  type = object({
    runbooks_url       = optional(string, "docs/runbooks")
    emails             = optional(map(set(string)), {})
    ledger_age_seconds = optional(map(number), { warning = 900, critical = 3600 })
  })
  description = "Where alarms say their runbook is (a folder of this repository, or the address it is read at), who gets a mail by severity, and how long a recipient may wait."
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for severity in keys(var.monitoring.emails) : contains(["warning", "critical"], severity)])
    error_message = "monitoring.emails goes by warning and critical (got ${join(", ", keys(var.monitoring.emails))})."
  }

  validation {
    condition     = try(var.monitoring.ledger_age_seconds.warning < var.monitoring.ledger_age_seconds.critical, false)
    error_message = "monitoring.ledger_age_seconds needs a warning below its critical (got ${jsonencode(var.monitoring.ledger_age_seconds)})."
  }
}
