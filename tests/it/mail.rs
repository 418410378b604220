//! Mail from the words of a letter to the mail server's door.

mod delivery;
mod letters;
mod smtp;
