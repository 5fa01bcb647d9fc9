//! What shops look like: good pictures, bad files, and who sees which.

use std::io::Cursor;

use image::{
    DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, RgbImage, codecs::jpeg::JpegEncoder,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    console::{Browser, hub, operator},
    door::account,
    program::{Running, send, text},
    shops::{Applied, applied},
};

const TAKEN_AT: &[u8] = b"12.9716,77.5946";

/// A shop front in one colour, as a camera with a GPS would save it.
fn photo(colour: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file);
    let exif = [b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0", TAKEN_AT].concat();
    encoder.set_exif_metadata(exif).expect("it takes them");
    let seen = RgbImage::from_pixel(1_600, 1_200, colour.into());
    let (width, height) = seen.dimensions();
    encoder.encode(&seen, width, height, ExtendedColorType::Rgb8).expect("it is encoded");
    file
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let seen = DynamicImage::ImageRgb8(RgbImage::new(width, height));
    seen.write_to(&mut file, ImageFormat::Png).expect("it is encoded");
    file.into_inner()
}

fn holds(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|bytes| bytes == text)
}

async fn put(hub: &Running, shop: &Applied, token: &str, file: Vec<u8>) -> (StatusCode, Value) {
    let request = hub.client.put(format!("{}{}/photo", hub.url, shop.path)).bearer_auth(token);
    send(request.header("content-type", "image/jpeg").body(file)).await
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_shops_photo_loses_where_it_was_taken_and_is_kept_by_browsers() {
    let hub = Running::start(&["--auto-approve"]);
    let shop = applied(&hub, 3, "asha", json!({})).await;
    let file = photo([200, 40, 40]);
    assert!(holds(&file, TAKEN_AT));
    let (status, told) = put(&hub, &shop, &shop.token, file.clone()).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let address = text(&told, "photo").to_owned();
    let (_, seen) = send(hub.get(&shop.path)).await;
    assert_eq!(text(&seen, "photo"), address, "the profile names it");

    let shown = hub.get(&address).send().await.expect("an answer");
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(header(&shown, "content-type"), "image/jpeg");
    assert_eq!(header(&shown, "x-content-type-options"), "nosniff");
    assert!(header(&shown, "cache-control").contains("immutable"));
    let tag = header(&shown, "etag").to_owned();
    let jpeg = shown.bytes().await.expect("a body");
    assert!(!holds(&jpeg, TAKEN_AT) && !holds(&jpeg, b"Exif"), "its place is gone");
    assert!(jpeg.len() <= 200_000 && image::load_from_memory(&jpeg).is_ok());
    let again = hub.get(&address).header("if-none-match", &tag).send().await.expect("an answer");
    assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, &*tag));

    let (_, same) = put(&hub, &shop, &shop.token, file).await;
    assert_eq!(text(&same, "photo"), address, "the same picture has the same address");
    let (_, other) = put(&hub, &shop, &shop.token, photo([40, 200, 40])).await;
    assert_ne!(text(&other, "photo"), address);
    assert_eq!(send(hub.get(&address)).await.0, StatusCode::NOT_FOUND, "the old one is gone");
    let export = || hub.get("/v1/me/export").bearer_auth(&shop.token);
    let (_, export_before) = send(export()).await;
    let digest = text(&export_before["shops"][0], "photo");
    assert!(text(&other, "photo").ends_with(&format!("/{digest}")), "{export_before}");
    let remove = || hub.delete(&format!("{}/photo", shop.path)).bearer_auth(&shop.token);
    assert_eq!(send(remove()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(remove()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(hub.get(text(&other, "photo"))).await.0, StatusCode::NOT_FOUND);
    assert!(send(hub.get(&shop.path)).await.1["photo"].is_null());
    let (_, export) = send(export()).await;
    assert!(export["shops"][0]["photo"].is_null(), "{export}");
    let acts = export["acts"].as_array().expect("a list").iter();
    let said: Vec<_> = acts.map(|act| text(act, "outcome")).collect();
    // The newest first; what was refused changed nothing.
    assert_eq!(said[..4], ["photo removed", "photo set", "photo set", "photo set"], "{export}");
}

#[tokio::test]
async fn what_is_no_picture_or_too_much_of_one_is_refused_by_name() {
    let hub = Running::start(&["--auto-approve"]);
    let shop = applied(&hub, 3, "asha", json!({})).await;
    let whole = png(60, 40);
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
    let zip = b"PK\x03\x04\x14\0\0\0\x08\0".to_vec();
    // Black packs a thousandfold: that file is small, its picture is not.
    let cases = [
        (zip, StatusCode::UNSUPPORTED_MEDIA_TYPE, "no-picture"),
        (svg, StatusCode::UNSUPPORTED_MEDIA_TYPE, "no-picture"),
        (vec![], StatusCode::UNSUPPORTED_MEDIA_TYPE, "no-picture"),
        (whole[..whole.len() / 2].to_vec(), StatusCode::UNPROCESSABLE_ENTITY, "picture-damaged"),
        (png(9_000, 3_000), StatusCode::UNPROCESSABLE_ENTITY, "too-many-pixels"),
        (vec![0; 8 * 1024 * 1024 + 1], StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
        (vec![0; 2 * 1024 * 1024], StatusCode::UNSUPPORTED_MEDIA_TYPE, "no-picture"),
    ];
    for (file, expected, kind) in cases {
        let (status, problem) = put(&hub, &shop, &shop.token, file).await;
        let named = format!("urn:kirana:problem:{kind}");
        assert_eq!((status, text(&problem, "type")), (expected, &*named), "{problem}");
    }
    assert!(send(hub.get(&shop.path)).await.1["photo"].is_null());
    let long = hub.post("/v1/shops", &json!({ "name": "x".repeat(2 * 1024 * 1024) }));
    let (status, _) = send(long.bearer_auth(&shop.token)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "elsewhere a body is as short as before");
}

#[tokio::test]
async fn std_16_a_photo_is_set_by_owners_and_seen_by_others_once_the_shop_is_approved() {
    let hub = hub().await;
    let shop = applied(&hub, 3, "asha", json!({ "name": "<script>alert(1)</script>" })).await;
    let (ravi, _) = account(&hub, "ravi").await;
    assert_eq!(put(&hub, &shop, &ravi, png(60, 40)).await.0, StatusCode::NOT_FOUND);
    let nobody = hub.client.put(format!("{}{}/photo", hub.url, shop.path)).body(png(60, 40));
    assert_eq!(send(nobody).await.0, StatusCode::UNAUTHORIZED);
    let (_, told) = put(&hub, &shop, &shop.token, png(60, 40)).await;
    let address = text(&told, "photo");
    assert_eq!(send(hub.get(address)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(hub.get(address).bearer_auth(&ravi)).await.0, StatusCode::NOT_FOUND);
    let own = hub.get(address).bearer_auth(&shop.token).send().await.expect("an answer");
    assert_eq!(own.status(), StatusCode::OK);
    assert!(header(&own, "cache-control").starts_with("private"));

    let console = address.replacen("/v1/", "/console/", 1);
    let stranger = Browser::new(&hub).get(&console).await;
    assert_eq!(stranger.status, StatusCode::SEE_OTHER, "the console is for operators");
    let mut admin = operator(&hub).await;
    let page = admin.get(&shop.path.replacen("/v1/", "/console/", 1)).await;
    assert!(page.html.contains(&format!("src=\"{console}\"")), "{}", page.html);
    assert!(!page.html.contains("<script>"), "its name stays text");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("img-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(admin.get(&console).await.header("content-type"), "image/jpeg");
}
