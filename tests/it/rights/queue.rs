// A made-up component: a queue. It consists of this file and its template.

use blueprint::{
    components::Component,
    contribution::{Contribution, Need},
    diagnostics::Report,
    foundation::Environment,
    page::{Page, Place, Role},
    rights::{Rights, Statement},
    source::Located,
};

/// Messages between applications.
#[derive(Default)]
pub struct Queue {
    pub enabled: Option<Located<bool>>,
    /// A statement that is left out, by its `Sid`.
    pub forgets: Option<&'static str>,
}

impl Component for Queue {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::SpareCapacity
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let path = format!("environments/{environment}/platform/queue.tf");
        let page =
            Page::computed(Place::Infrastructure, path, Role::Unlisted, include_str!("queue.tf").to_owned());
        Contribution {
            about: "carries messages between applications",
            rights: self.rights(environment),
            pages: vec![page],
            ..Contribution::new("queue")
        }
    }
}

impl Queue {
    fn rights(&self, environment: &Environment) -> Rights {
        let names = environment.names();
        let queue = || vec![names.arn("sqs", format!("{}-orders", names.prefix()))];
        let said = |it: &Statement| self.forgets != Some(it.sid.as_str());
        let all = |statements: Vec<Statement>| statements.into_iter().filter(said).collect();
        Rights {
            read: all(vec![
                Statement::allow("Queue", &["sqs:GetQueueAttributes", "sqs:ListQueueTags"]).on(queue()),
            ]),
            change: all(vec![
                Statement::allow("MakeQueue", &["sqs:CreateQueue", "sqs:TagQueue"])
                    .on(queue())
                    .with_request_tags(&names),
                Statement::allow(
                    "ChangeQueue",
                    &["sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"],
                )
                .on(queue())
                .with_resource_tags(&names),
            ]),
            uses: all(vec![Statement::uses(&["sqs:ReceiveMessage", "sqs:SendMessage"])]),
        }
    }
}
