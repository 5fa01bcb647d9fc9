//! What products look like: good pictures, bad files, who may set them, and how long they are kept.

use std::{io::Cursor, path::Path, process::Command};

use image::{
    DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, RgbImage, codecs::jpeg::JpegEncoder,
};
use kirana_core::{hash::Hash, id::ShopId};
use kirana_migrations::{
    Abort,
    catalogue::pictures::{PICTURE_BYTES_MAX, Picture},
};
use kirana_sync::wire::{Code, Request, Response, limit};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    desk::{Desk, keys, said, text},
    neighbour::{NOW, rng},
    program::{init, kirana, opened},
};

const TAKEN_AT: &[u8] = b"12.9716,77.5946";

/// A bag of rice in one colour, as a camera with a GPS would save it.
fn photo(colour: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file);
    let exif = [b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0", TAKEN_AT].concat();
    encoder.set_exif_metadata(exif).expect("it takes them");
    let seen = RgbImage::from_pixel(640, 480, colour.into());
    encoder.encode(&seen, 640, 480, ExtendedColorType::Rgb8).expect("it is encoded");
    file
}

fn holds(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|bytes| bytes == text)
}

fn product(desk: &Desk, name: &str) -> String {
    let body = json!({ "name": name, "variants": [{ "price": { "minor": 4500 } }] });
    let (status, made) = desk.as_owner("POST", "/v1/catalogue/products", &body);
    assert_eq!(status, 201, "{made}");
    text(&made, "id").to_owned()
}

fn client() -> reqwest::Client {
    // Nothing here is encrypted; whoever was first has it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn put(desk: &Desk, token: &str, product: &str, file: Vec<u8>) -> (StatusCode, Value) {
    let url = format!("http://{}/v1/catalogue/products/{product}/image", desk.served.http);
    let request = client().put(url).bearer_auth(token);
    let answer = request.header("content-type", "image/jpeg").body(file).send().await;
    let answer = answer.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn get(desk: &Desk, image: &str, known: &str) -> reqwest::Response {
    let url = format!("http://{}/v1/images/{image}", desk.served.http);
    let request = client().get(url).header("if-none-match", known);
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn a_products_picture_loses_where_it_was_taken_and_is_kept_by_browsers() {
    let desk = Desk::open();
    let rice = product(&desk, "Rice");
    let file = photo([200, 40, 40]);
    assert!(holds(&file, TAKEN_AT));
    let (status, set) = put(&desk, &desk.owner, &rice, file).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    let image = text(&set, "image").to_owned();
    for path in [format!("/v1/products/{rice}"), format!("/v1/catalogue/products/{rice}")] {
        let (_, seen) = desk.ask("", "GET", &path, &Value::Null);
        assert_eq!(text(&seen, "image"), image, "the product names it");
    }
    let (_, history) =
        desk.as_owner("GET", &format!("/v1/catalogue/products/{rice}/history"), &Value::Null);
    assert!(history["items"][0].to_string().contains(&image), "and its history: {history}");

    let shown = get(&desk, &image, "").await;
    assert_eq!(shown.status(), StatusCode::OK);
    let header = |name: &str| shown.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "image/jpeg");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cache-control"), "public, max-age=31536000, immutable");
    let tag = header("etag");
    let jpeg = shown.bytes().await.expect("a body");
    assert_eq!(Hash::of(&jpeg).to_string(), image, "its address names its content");
    assert!(!holds(&jpeg, TAKEN_AT) && jpeg.len() <= kirana_picture::JPEG_BYTES_MAX);
    assert_eq!(get(&desk, &image, &tag).await.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_picture_is_kept_as_long_as_a_product_names_it_and_no_longer() {
    let desk = Desk::open();
    let (rice, dal) = (product(&desk, "Rice"), product(&desk, "Dal"));
    let (red, blue) = (photo([200, 0, 0]), photo([0, 0, 200]));
    let first = put(&desk, &desk.owner, &rice, red.clone()).await.1;
    let shared = put(&desk, &desk.owner, &dal, red).await.1;
    assert_eq!(first["image"], shared["image"], "one picture, kept once");
    let old = text(&first, "image").to_owned();
    let new = put(&desk, &desk.owner, &rice, blue).await.1;
    assert_eq!(get(&desk, &old, "").await.status(), StatusCode::OK, "the dal names it");
    let path = format!("/v1/catalogue/products/{dal}/image");
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);
    assert_eq!(get(&desk, &old, "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&desk, text(&new, "image"), "").await.status(), StatusCode::OK);
    assert_eq!(kirana(&["verify"], desk.folder.path()).status.code(), Some(0));
}

#[tokio::test]
async fn what_is_no_picture_and_who_may_not_edit_is_refused_by_name() {
    let desk = Desk::open();
    let rice = product(&desk, "Rice");
    let (status, why) = put(&desk, &desk.owner, &rice, b"<svg onload=alert(1)>".to_vec()).await;
    assert_eq!((status.as_u16(), text(&why, "type")), (422, "urn:kirana:picture"));
    let long = vec![0; kirana_picture::FILE_BYTES_MAX + 1];
    assert_eq!(put(&desk, &desk.owner, &rice, long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let mut huge = Cursor::new(Vec::new());
    let pixels = DynamicImage::ImageRgb8(RgbImage::new(6_000, 5_000));
    pixels.write_to(&mut huge, ImageFormat::Png).expect("it is encoded");
    let (status, why) = put(&desk, &desk.owner, &rice, huge.into_inner()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
    let courier = desk.working(7, "courier");
    assert_eq!(put(&desk, &courier, &rice, photo([0; 3])).await.0, StatusCode::FORBIDDEN);
    assert_eq!(put(&desk, "", &rice, photo([0; 3])).await.0, StatusCode::UNAUTHORIZED);
    let nobody = "01a0c450-6c00-7000-8000-000000000000";
    assert_eq!(put(&desk, &desk.owner, nobody, photo([0; 3])).await.0, StatusCode::NOT_FOUND);
    for image in ["0".repeat(64), "x".to_owned(), "..%2f..%2fshop.db".to_owned()] {
        assert_eq!(get(&desk, &image, "").await.status(), StatusCode::NOT_FOUND);
    }
}

/// A shop with a product and its picture, set at the command line.
fn pictured(data: &Path) -> (String, Hash) {
    let code = init(data)["recovery_code"].as_str().expect("a code").to_owned();
    let (goods, picture) = (data.join("goods.csv"), data.join("rice.jpg"));
    std::fs::write(&goods, "sku,name,price\nR1,Rice,45\n").expect("written");
    std::fs::write(&picture, photo([9, 99, 9])).expect("written");
    assert_eq!(said(data, &["import", goods.to_str().expect("a path")]).0, 0);
    let shop = opened(data);
    let rice = shop.database().reader.read(|c| {
        let query = kirana_migrations::catalogue::search::Query::default();
        let page = kirana_migrations::catalogue::search::search(c, &query)?;
        kirana_migrations::catalogue::shelved_at(c, page.rows[0])
    });
    let rice = rice.expect("it is there").product.id.to_string();
    let (status, set) =
        said(data, &["catalogue", "image", &rice, picture.to_str().expect("a path")]);
    assert_eq!(status, 0, "{set}");
    (code, text(&set, "image").parse().expect("a digest"))
}

#[test]
fn p8_a_backup_holds_pictures_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, new) = (folder.path().join("old"), folder.path().join("new"));
    let (code, image) = pictured(&data);
    let file = folder.path().join("monday.backup");
    assert_eq!(said(&data, &["backup", file.to_str().expect("a path")]).0, 0);
    let mut restore = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    restore.env("KIRANA_RECOVERY_CODE", code).args(["restore", "--json", "--data"]);
    assert!(restore.arg(&new).arg(&file).output().expect("it runs").status.success());
    let jpeg = opened(&new).image(image).expect("read").expect("it is there");
    assert_eq!(Hash::of(&jpeg), image);
    assert_eq!(kirana(&["verify"], &new).status.code(), Some(0));
}

#[test]
fn p8_a_byte_of_a_picture_that_changed_on_the_disk_is_found_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, image) = pictured(folder.path());
    let shop = opened(folder.path());
    let changed = shop.database().writer.write(|tx| -> Result<usize, Abort<()>> {
        Ok(tx.execute("UPDATE image SET jpeg = x'00'", [])?)
    });
    assert_eq!(changed.expect("written"), 1);
    shop.image(image).expect_err("it is another picture");
    let (status, found) = said(folder.path(), &["verify"]);
    assert_eq!(status, 1, "{found}");
    let faults = kirana(&["verify"], folder.path());
    let told = String::from_utf8_lossy(&faults.stdout).into_owned()
        + &String::from_utf8_lossy(&faults.stderr);
    assert!(told.contains(&image.to_string()), "{told}");
}

#[tokio::test]
async fn a_picture_is_handed_to_peers_by_its_digest_and_fits_their_frame() {
    const { assert!(kirana_picture::JPEG_BYTES_MAX <= limit::IMAGE_BYTES_MAX) };
    const { assert!(kirana_picture::JPEG_BYTES_MAX <= PICTURE_BYTES_MAX) };
    let desk = Desk::open();
    let rice = product(&desk, "Rice");
    let (status, set) = put(&desk, &desk.owner, &rice, photo([10, 200, 40])).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    let image: Hash = text(&set, "image").parse().expect("a digest");
    let shop = opened(desk.folder.path());
    let asked = |of, image| {
        let request = Request::Image { shop: of, image };
        shop.answer(keys(50).signing.public(), request, NOW, &mut rng(6))
    };
    let Response::Image { jpeg } = asked(shop.id(), image) else { panic!("no picture") };
    assert!(Picture::check(image, jpeg.into()).is_ok());
    let elsewhere = ShopId::new(NOW, [3; 10]);
    for answer in [asked(shop.id(), Hash::of(b"none")), asked(elsewhere, image)] {
        assert!(matches!(answer, Response::Refused(no) if no.code == Code::NotHere));
    }
}
