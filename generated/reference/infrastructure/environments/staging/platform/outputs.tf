# Written by blueprint. Change the blueprint instead.

output "cluster_name" {
  description = "Name of the cluster, as in `aws eks update-kubeconfig --name`."
  value       = aws_eks_cluster.main.name
}

output "cluster_endpoint" {
  description = "Address of the Kubernetes API, reachable inside the VPC."
  value       = aws_eks_cluster.main.endpoint
}

output "database_address" {
  description = "Address of the database, reachable inside the VPC; workloads read it from Parameter Store."
  value       = aws_db_instance.main.address
}

output "name_servers" {
  description = "Who answers for the zone: the zone above must name them."
  value       = local.name_servers
}

output "nat_addresses" {
  description = "Addresses from which the platform speaks to the internet, by zone; for other people's allow lists."
  value       = { for zone, address in aws_eip.nat : zone => address.public_ip }
}

output "vpc_id" {
  description = "The VPC, for peering and for what a person adds beside this root."
  value       = aws_vpc.main.id
}
