fn main() {
    println!("{}", add(1, 2));
}

fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[test]
fn adds() {
    assert_eq!(add(1, 2), 3);
}
