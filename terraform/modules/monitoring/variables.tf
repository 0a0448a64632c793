variable "deployment" {
  type = object({
    name_prefix = string
    environment = string
    partition   = string
    dns_suffix  = string
    region      = string
    account_id  = string
  })
  description = "Where this stands: the name prefix, partition, region and account, from locals.tf of the root."
  nullable    = false
}

variable "settings" {
  type = object({
    runbooks_url       = string
    emails             = map(set(string))
    ledger_age_seconds = map(number)
  })
  description = "Where the runbooks are read, who is written to by severity, and how long a recipient may wait."
  nullable    = false
}

variable "functions" {
  type = map(object({
    name            = string
    timeout_seconds = number
  }))
  description = "Functions to watch, by their job."
  nullable    = false
}

variable "queues" {
  type = map(object({
    name             = string
    dead_letter_name = string
    age_seconds      = map(number)
  }))
  description = "Queues to watch, by their job, and the age of a message at which to warn and to page."
  nullable    = false
}

variable "dead_letter_names" {
  type        = map(string)
  description = "Queues that hold what failed and belong to no other queue, by their job."
  nullable    = false
}

variable "tables" {
  type        = map(string)
  description = "Names of the tables of the ledger, by what they hold."
  nullable    = false
}

variable "api_id" {
  type        = string
  description = "Id of the HTTP API, for its metrics."
  nullable    = false
}

variable "feedback_topic_name" {
  type        = string
  description = "Name of the topic on which SES says what became of each mail."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator, which speaks plain HTTP: the topics do not deny it there."
  nullable    = false
}
