//! The permissions of the apply role for the second root: its state, the Git credential, and the tunnel to the cluster.

use crate::{
    rights::{Names, Policy, Rights, Statement, any, in_state_bucket},
    words::{StackWord, Text},
};

/// `tunnels` is whether the pipeline reaches the cluster through a node.
pub fn rights(names: &Names, tunnels: bool) -> Rights {
    let state = || in_state_bucket("/gitops/terraform.tfstate");
    let lock = || in_state_bucket("/gitops/terraform.tfstate.tflock");
    let mut change = vec![
        Statement::allow("State", &["s3:GetObject", "s3:PutObject"]).on(vec![state(), lock()]),
        Statement::allow("Unlock", &["s3:DeleteObject"]).on(vec![lock()]),
        Statement::allow("RememberWhatWasApplied", &["s3:PutObject"])
            .on(vec![in_state_bucket("/gitops/applied")]),
        Statement::allow("GitCredential", &["ssm:GetParameter"])
            .on(vec![names.parameters(&Text::ours("flux-system/git"))]),
    ];
    if tunnels {
        change.extend(tunnel(names));
    }
    let change = change.into_iter().map(|it| it.within(Policy::ApplyGitops)).collect();
    Rights { change, ..Rights::default() }
}

fn tunnel(names: &Names) -> [Statement; 4] {
    let document =
        format!("arn:aws:ssm:{}::document/AWS-StartPortForwardingSessionToRemoteHost", names.region);
    let checked = |it: Statement| it.when("BoolIfExists", "ssm:SessionDocumentAccessCheck", ["true"]);
    let own = ["ssm:ResumeSession", "ssm:TerminateSession", "ssmmessages:OpenDataChannel"];
    [
        Statement::allow("FindNodes", &["ec2:DescribeInstances"]).on(vec![any()]),
        checked(
            Statement::allow("TunnelThroughNodes", &["ssm:StartSession"])
                .on(vec![names.arn("ec2", "instance/*")])
                .with_resource_tags(names),
        )
        .why("Without the check of the document, the permission to start a session on a node would include a shell."),
        checked(
            Statement::allow("OnlyToForwardPorts", &["ssm:StartSession"]).on(vec![StackWord::ours(document)]),
        ),
        Statement::allow("OwnSessions", &own)
            .on(vec![names.arn("ssm", "session/apply-*")])
            .why("The Session Manager plugin opens a data channel for the session and resumes it when the connection breaks. The id\nof a session begins with the name of the role session that started it; the workflow names its own `apply-…`."),
    ]
}
