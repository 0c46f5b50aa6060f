# Written by blueprint. Change the blueprint instead.

output "cluster_name" {
  description = "Name of the cluster, for `aws eks update-kubeconfig --name`."
  value       = aws_eks_cluster.main.name
}

output "cluster_endpoint" {
  description = "Endpoint of the Kubernetes API, reachable inside the VPC."
  value       = aws_eks_cluster.main.endpoint
}

output "database_address" {
  description = "Address of the database, reachable inside the VPC; workloads read it from Parameter Store."
  value       = aws_db_instance.main.address
}

output "name_servers" {
  description = "Name servers of the zone, for the NS record in the parent zone."
  value       = local.name_servers
}

output "nat_addresses" {
  description = "Public IP addresses of outgoing connections, by zone; for allow lists of other parties."
  value       = { for zone, address in aws_eip.nat : zone => address.public_ip }
}

output "vpc_id" {
  description = "Id of the VPC, for peering and for your own roots."
  value       = aws_vpc.main.id
}
