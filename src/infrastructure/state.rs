//! The permissions of the pipeline for the resources of the bootstrap stack: the states, their locks and their key.

use crate::rights::{Names, Policy, Rights, STATE_BUCKET, STATE_KEY, Statement, in_state_bucket};

/// The permissions for the states.
pub fn rights(names: &Names) -> Rights {
    let state = || in_state_bucket("/platform/terraform.tfstate");
    let read = [
        Statement::allow("StateBucket", &["s3:ListBucket"]).on(vec![STATE_BUCKET]),
        Statement::allow("State", &["s3:GetObject"])
            .on(vec![state(), in_state_bucket("/gitops/applied")])
            .why("`gitops/applied` holds the hash of the gitops folder at its last apply."),
        Statement::allow("Lock", &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"])
            .on(vec![in_state_bucket("/platform/terraform.tfstate.tflock")]),
        Statement::allow("StateKey", &["kms:Decrypt", "kms:GenerateDataKey"]).on(vec![STATE_KEY]).when(
            "StringEquals",
            "kms:ViaService",
            [format!("s3.{}.amazonaws.com", names.region).as_str()],
        ),
    ];
    let write = Statement::allow("WriteState", &["s3:PutObject"]).on(vec![state()]);
    Rights {
        read: read.map(|it| it.within(Policy::Read)).into(),
        change: vec![write.within(Policy::ApplyNetwork)],
        uses: vec![
            Statement::deny("NeverTheState", &["s3:*"]).on(vec![STATE_BUCKET, in_state_bucket("/*")]),
            Statement::deny("NeverTheKeyOfTheState", &["kms:*"]).on(vec![STATE_KEY]),
        ],
    }
}
