output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "log_group_name" {
  description = "Log group of the function."
  value       = module.function.log_group_name
}

output "policies" {
  description = "Every policy of the function's role by its name; the tests hold them to least privilege."
  value       = module.function.policies
}
